"""Alias maps: `{alias: canonical}` or `{alias: [canonical, …]}` as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from foundation.files import existing_file
from foundation.rejects import Reject
from foundation.text import detect_encoding, open_bytes
from kg.readers import HEAD, refusal
from kg.readers.documents import Item, read_items
from kg.readers.statements import Origin, damage, name_fault, objects_of


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Another name of an entity, and where it was said."""

    alias: str
    canonical: str
    file: str
    line: int


def read_aliases(path: Path, *, name: str | None = None) -> Iterator[Alias | Reject]:
    """The aliases of a JSON file in its order. Raises ZhongjingError where there is no such file."""
    origin = Origin(name or str(path))
    existing_file(path)
    faults: list[Reject] = []
    with damage(faults, origin):
        with open_bytes(path) as stream:
            refused = refusal(stream.read(HEAD), path)
        if refused:
            yield origin.reject(*refused)
            return
        for item in read_items(path, detect_encoding(path), origin):
            if isinstance(item, Reject):
                yield item
            else:
                yield from _aliases(item, origin)
    yield from faults


def _aliases(item: Item, origin: Origin) -> Iterator[Alias | Reject]:
    if item.key is None:
        yield origin.reject("unknown_shape", "an alias map is one JSON object {alias: canonical}", item.line)
        return
    for canonical in objects_of(item.value):
        yield _alias(item.key, canonical, item.line, origin)


def _alias(alias: str, canonical: object, line: int, origin: Origin) -> Alias | Reject:
    if not isinstance(canonical, str):
        return origin.reject("not_text", "a name is not text", line)
    alias, canonical = alias.strip(), canonical.strip()
    fault = name_fault(alias) or name_fault(canonical)
    if fault:
        return origin.reject(*fault, line)
    if alias == canonical:
        return origin.reject("self_alias", "an alias of itself", line)
    return Alias(alias=alias, canonical=canonical, file=origin.file, line=line)
