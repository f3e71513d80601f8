"""Which alias means which entity: chains are followed, cycles and contradictions reported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from foundation.rejects import Reject
from kg.readers.aliases import Alias
from kg.readers.statements import Origin


def directed(aliases: Sequence[Alias], entities: Collection[str]) -> list[Alias]:
    """The aliases of one file, turned round where it lists them behind the name (`{canonical: alias}`): where more
    of its keys than of its values are what the triples speak of."""
    keys = sum(one.alias in entities and one.canonical not in entities for one in aliases)
    values = sum(one.canonical in entities and one.alias not in entities for one in aliases)
    if keys <= values:
        return list(aliases)
    return [replace(one, alias=one.canonical, canonical=one.alias) for one in aliases]


def settle(aliases: Iterable[Alias], entities: Collection[str]) -> tuple[dict[str, str], list[Reject]]:
    """Alias to canonical name, and the aliases that cannot be used.

    A name that the triples use is an entity and no alias; of two canonicals the first one read stays.
    """
    first: dict[str, Alias] = {}
    rejects = []
    for alias in aliases:
        known = first.get(alias.alias)
        if alias.alias in entities:
            rejects.append(_reject(alias, "alias_is_entity", "the triples use this alias as an entity of its own"))
        elif known is None:
            first[alias.alias] = alias
        elif known.canonical != alias.canonical:
            rejects.append(_reject(alias, "ambiguous_alias", f"line {known.line} of {known.file} gives another entity"))
    settled = {}
    for name, alias in first.items():
        canonical = _follow(name, first)
        if canonical is None:
            rejects.append(_reject(alias, "alias_cycle", "this alias leads back to itself"))
        else:
            settled[name] = canonical
    return settled, rejects


def _follow(name: str, aliases: dict[str, Alias]) -> str | None:
    passed = {name}
    while name in aliases:
        name = aliases[name].canonical
        if name in passed:
            return None
        passed.add(name)
    return name


def _reject(alias: Alias, reason: str, detail: str) -> Reject:
    return Origin(alias.file).reject(reason, detail, alias.line)
