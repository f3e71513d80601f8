"""N-Triples (https://www.w3.org/TR/n-triples/): labels name what addresses stand for, other statements are triples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from foundation.rejects import Reject
from foundation.text import numbered_lines
from kg.readers.nodes import Node
from kg.readers.statements import Origin
from kg.records import Triple

_END = r"<(?P<{0}>[^<>]*)>|(?P<blank_{0}>_:\S+)"
STATEMENT = re.compile(
    rf"\s*(?:{_END.format('subject')})\s+<(?P<relation>[^<>]*)>\s+"
    rf'(?:{_END.format("object")}|"(?P<text>(?:[^"\\]|\\.)*)"(?:@[\w-]+|\^\^<[^<>]*>)?)\s*\.?\s*(?:#.*)?$'
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_LABELS = ("label", "prefLabel", "name", "名称")
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


def read_ntriples(path: Path, encoding: str, origin: Origin) -> Iterator[Triple | Reject]:
    """The statements of a file, which is read twice: labels may follow the statements that need them."""
    for _, line in _lines(path, encoding):
        found = STATEMENT.match(line) if isinstance(line, str) else None
        if found and found["text"] is not None and _local(found["relation"]) in _LABELS:
            origin.nodes.add(_address(found, "subject"), Node(_plain(found["text"]).strip(), None))
    for number, line in _lines(path, encoding):
        if isinstance(line, UnicodeDecodeError):
            yield origin.reject("bad_encoding", f"this line is not {encoding}", number)
        elif found := STATEMENT.match(line):
            yield from _statement(found, number, origin)
        else:
            yield origin.reject("bad_statement", "this line is no statement of N-Triples", number)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str | UnicodeDecodeError]]:
    for number, line in numbered_lines(path, encoding):
        if not isinstance(line, str) or (line.strip() and not line.lstrip().startswith("#")):
            yield number, line


def _statement(found: re.Match[str], line: int, origin: Origin) -> Iterator[Triple | Reject]:
    relation = _local(found["relation"])
    if found["relation"] == _TYPE or (found["text"] is not None and relation in _LABELS):
        return
    target = _name(found, "object", origin) if found["text"] is None else _plain(found["text"])
    yield origin.triple(_name(found, "subject", origin), relation, target, line)


def _address(found: re.Match[str], end: str) -> str:
    return found[end] if found[end] is not None else found[f"blank_{end}"]


def _name(found: re.Match[str], end: str, origin: Origin) -> str:
    """What an address stands for: its label, or else its last part."""
    address = _address(found, end)
    node = origin.nodes.get(address)
    return node.name if node else _local(address)


def _local(address: str) -> str:
    return unquote(_plain(re.split("[#/]", address.rstrip("#/"))[-1]))


def _plain(text: str) -> str:
    def letter(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2]
        return chr(min(int(code, 16), 0x10FFFF)) if code else _LETTERS.get(escape[3], escape[3])

    return _ESCAPE.sub(letter, text)
