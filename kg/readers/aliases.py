"""Other names of entities: a JSON object, lists of pairs or records, or a table of two columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from foundation.files import existing_file
from foundation.rejects import Reject
from foundation.text import detect_encoding, open_bytes
from kg.readers import HEAD, refusal
from kg.readers.documents import Item, read_items
from kg.readers.roles import places_of
from kg.readers.rows import rows_of, separator_of
from kg.readers.statements import Origin, damage, name_fault, objects_of, tidy

_ROLES = ("alias", "canonical")
_PAIR = len(_ROLES)


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Another name of an entity, and where it was said."""

    alias: str
    canonical: str
    file: str
    line: int


def read_aliases(path: Path, *, name: str | None = None) -> Iterator[Alias | Reject]:
    """The aliases of a file in its order, the key of a map or the first column taken for the alias.

    Raises ZhongjingError where there is no such file.
    """
    origin = Origin(name or str(path))
    existing_file(path)
    faults: list[Reject] = []
    with damage(faults, origin):
        with open_bytes(path) as stream:
            head = stream.read(HEAD)
        refused = refusal(head, path)
        if refused:
            yield origin.reject(*refused)
            return
        encoding = detect_encoding(path)
        text = head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
        yield from _from_json(path, encoding, origin) if text[:1] in "{[" else _from_table(path, encoding, origin)
    yield from faults


def _from_json(path: Path, encoding: str, origin: Origin) -> Iterator[Alias | Reject]:
    for item in read_items(path, encoding, origin):
        if isinstance(item, Reject):
            yield item
        else:
            yield from _in_item(item, origin)


def _in_item(item: Item, origin: Origin) -> Iterator[Alias | Reject]:
    value = item.value
    if item.key is not None and not isinstance(value, dict):
        yield from _aliases([item.key], value, item.line, origin)
    elif isinstance(value, list) and len(value) == _PAIR:
        yield from _aliases(value[0], value[1], item.line, origin)
    elif isinstance(value, dict):
        yield from _in_object(value, item.line, origin)
    else:
        yield origin.reject("unknown_shape", "neither {alias: canonical} nor a pair of names", item.line)


def _in_object(value: dict[str, Any], line: int, origin: Origin) -> Iterator[Alias | Reject]:
    """One record with both names (`{"name": …, "aliases": […]}`), or a map."""
    keys = list(value)
    places = places_of(keys, _ROLES)
    if len(places) == _PAIR and places["alias"] != places["canonical"]:
        yield from _aliases(value[keys[places["alias"]]], value[keys[places["canonical"]]], line, origin)
        return
    for alias, canonical in value.items():
        yield from _aliases([alias], canonical, line, origin)


def _aliases(aliases: Any, canonicals: Any, line: int, origin: Origin) -> Iterator[Alias | Reject]:
    for alias in objects_of(aliases):
        for canonical in objects_of(canonicals):
            yield _alias(alias, canonical, line, origin)


def _from_table(path: Path, encoding: str, origin: Origin) -> Iterator[Alias | Reject]:
    separator = separator_of(path, encoding, _PAIR)
    if separator is None:
        yield origin.reject("unknown_format", "neither JSON nor a table of alias and canonical name")
        return
    alias, canonical, width = 0, 1, 0
    for number, row in rows_of(path, encoding, separator):
        if not isinstance(row, list):
            reason = "bad_quotes" if row is None else "bad_encoding"
            yield origin.reject(reason, "this line cannot be read", number)
            continue
        places = {} if width else places_of(row, _ROLES)
        if len(places) == _PAIR and places["alias"] != places["canonical"]:
            alias, canonical, width = places["alias"], places["canonical"], len(row)
            continue
        width = width or _PAIR
        if len(row) != width:
            yield origin.reject("columns", f"{len(row)} columns, {width} were expected", number)
        else:
            yield _alias(row[alias], row[canonical], number, origin)


def _alias(alias: Any, canonical: Any, line: int, origin: Origin) -> Alias | Reject:
    if not isinstance(alias, str) or not isinstance(canonical, str):
        return origin.reject("not_text", "a name is not text", line)
    alias, canonical = tidy(alias), tidy(canonical)
    fault = name_fault(alias) or name_fault(canonical)
    if fault:
        return origin.reject(*fault, line)
    if alias == canonical:
        return origin.reject("self_alias", "an alias of itself", line)
    return Alias(alias=alias, canonical=canonical, file=origin.file, line=line)
