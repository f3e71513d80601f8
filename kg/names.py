"""The names of a graph: from any name, alias or spelling to the number of its entity, one by one or in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kg.normalise import normalise
from kg.store import load, load_strings

UNKNOWN = -1


class Names:
    """Entities are numbered from 0 in the order of their names."""

    def __init__(self, folder: Path) -> None:
        self.entities = load_strings(folder, "entities")
        self.aliases = load_strings(folder, "aliases")
        self._spellings = load_strings(folder, "spellings")
        self._alias_entity, self._spelling_entity = load(folder, "alias_entity"), load(folder, "spelling_entity")
        self._alias_order, self._alias_start = load(folder, "alias_order"), load(folder, "alias_start")

    def number(self, name: str) -> int | None:
        """The entity of exactly this name or alias; None where there is none."""
        number = self.entities.position(name)
        if number is None:
            alias = self.aliases.position(name)
            number = None if alias is None else int(self._alias_entity[alias])
        return number

    def number_of_spelling(self, name: str) -> int | None:
        """The entity of a name or alias in any width, case or script; None where there is none."""
        number = self.number(name)
        return self.number_of_plain(normalise(name.strip()).text) if number is None else number

    def number_of_plain(self, name: str) -> int | None:
        """The entity of a name or alias in normalised spelling; None where there is none."""
        number = self.number(name)
        spelling = self._spellings.position(name) if number is None else None
        return number if spelling is None else int(self._spelling_entity[spelling])

    def numbers(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The entity of each of many names or aliases, `UNKNOWN` where there is none."""
        import polars as pl

        written = pl.concat([pl.Series(part.arrow(), dtype=pl.String) for part in (self.entities, self.aliases)])
        owners = np.concatenate([np.arange(len(self.entities), dtype=np.int32), self._alias_entity])
        known = pl.DataFrame({"name": written, "number": owners})
        asked = pl.DataFrame({"name": pl.Series(names, dtype=pl.String)})
        found = asked.join(known, on="name", how="left", maintain_order="left")
        return found["number"].fill_null(UNKNOWN).to_numpy()

    def aliases_of(self, number: int) -> list[str]:
        """The aliases of an entity, sorted."""
        bounds = slice(self._alias_start[number], self._alias_start[number + 1])
        return self.aliases.take(self._alias_order[bounds].tolist())

    def alias_pairs(self) -> Iterator[tuple[str, int]]:
        """Every alias with the number of its entity."""
        return zip(self.aliases, self._alias_entity.tolist(), strict=True)
