"""Graph files of every circulating form to statements; what cannot be read becomes a reject with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.rejects import Reject
from foundation.text import detect_encoding, open_bytes
from kg.readers.documents import read_documents
from kg.readers.nodes import Nodes
from kg.readers.ntriples import STATEMENT, read_ntriples
from kg.readers.statements import Origin, damage
from kg.readers.tables import read_table
from kg.records import Triple

Format = Literal["csv", "tsv", "cmekg", "nested", "spo", "qasystem", "ntriples"]
FORMATS: tuple[str, ...] = get_args(Format)

HEAD = 4096
_JSON = ("{", "[", "('", '("')
_NAMES = {"xml": "XML", "turtle": "Turtle", "cypher": "Cypher", "sql": "SQL", "page": "a web page"}
_FOREIGN = re.compile(
    r"(?P<page><!doctype html|<html)|(?P<xml><\?xml|<rdf:RDF)|(?P<turtle>@prefix\s|@base\s|PREFIX\s)"
    r"|(?P<cypher>(?:CREATE|MERGE|MATCH)\s*\()|(?P<sql>(?:INSERT INTO|CREATE TABLE|DROP TABLE)\s|-- MySQL)",
    re.IGNORECASE,
)
_BINARY = (b"PK\x03\x04", b"PAR1", b"SQLite format 3", b"%PDF", b"ARROW1", b"\x89PNG", b"\xd0\xcf\x11\xe0")


def read_triples(
    path: Path,
    format: str | None = None,  # noqa: A002
    *,
    name: str | None = None,
    nodes: Nodes | None = None,
) -> Iterator[Triple | Reject]:
    """The statements of a file, in its order; gzip and the encoding are found by content, as is the format.

    `format` is one of `FORMATS` where the content shall not decide. `name` is recorded as the file's name instead of
    its path as given. `nodes` are those of files read before, and learns those of this one. Raises ZhongjingError where
    there is no such file or format.
    """
    origin = Origin(name or str(path), nodes)
    if format is not None and format not in FORMATS:
        raise ZhongjingError(f"no such graph format: {format}", hint=f"one of {', '.join(FORMATS)}")
    existing_file(path)
    faults: list[Reject] = []
    with damage(faults, origin):
        yield from _read(path, format, origin)
    yield from faults


def _read(path: Path, form: str | None, origin: Origin) -> Iterator[Triple | Reject]:
    with open_bytes(path) as stream:
        head = stream.read(HEAD)
    refused = refusal(head, path)
    if refused:
        yield origin.reject(*refused)
        return
    encoding = detect_encoding(path)
    text = head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    foreign = _FOREIGN.match(text)
    if foreign:
        detail = f"this is {_NAMES[foreign.lastgroup or '']}; export it as CSV of head, relation, tail or as N-Triples"
        yield origin.reject("unknown_format", detail)
    elif form == "ntriples" or (form is None and STATEMENT.match(text.partition("\n")[0])):
        yield from read_ntriples(path, encoding, origin)
    elif form in ("csv", "tsv") or (form is None and not text.startswith(_JSON)):
        yield from read_table(path, encoding, origin, {"csv": ",", "tsv": "\t"}.get(form or ""))
    else:
        yield from read_documents(path, encoding, origin, form)


def refusal(head: bytes, path: Path) -> tuple[str, str] | None:
    """Reason and detail where a file that begins with `head` is none to read: empty, a pickle, binary."""
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        return "empty_file", "the file is empty"
    if _is_pickle(head) or path.suffix in (".pkl", ".pickle"):
        return "pickle", "a pickle can run any code when it is loaded; export it as JSON and read that"
    if head.startswith(_BINARY):
        return "unknown_format", "a binary file, not a graph in text"
    return None


def _is_pickle(head: bytes) -> bool:
    binary_protocol = len(head) > 1 and head[0] == 0x80 and head[1] <= 5
    return binary_protocol or head.startswith(
        (b"(dp", b"(lp", b"ccopy_reg\n", b"cbuiltins\n", b"c__builtin__\n", b"}q\x00", b"]q\x00")
    )
