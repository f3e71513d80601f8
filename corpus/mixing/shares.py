"""How many rows of each kind make a mix, and what happens where there are too few."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Literal

import msgspec

from foundation.errors import ZhongjingError

Shortfall = Literal["refuse", "fill", "shrink"]


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one kind: its `share` of the rows asked for is `wanted`; `there` are at hand, at most `cap` may be
    used, `taken` are in the mix."""

    kind: str
    share: float
    wanted: int
    there: int
    taken: int
    cap: int | None = None

    @property
    def usable(self) -> int:
        """The rows that may be taken."""
        return self.there if self.cap is None else min(self.there, self.cap)

    @property
    def short(self) -> int:
        """The rows wanted that there are not."""
        return max(0, self.wanted - self.usable)

    def needs(self) -> str:
        """What was wanted and what is there, for a person."""
        cap = f", {self.cap:,} allowed" if self.cap is not None else ""
        short = f", {self.short:,} short" if self.short else ""
        return f"{self.kind}: {self.wanted:,} wanted, {self.there:,} there{cap}{short}"

    def line(self) -> str:
        """The same with what was taken."""
        return f"{self.needs()}; {self.taken:,} taken"


def allot(
    shares: Mapping[str, float],
    there: Mapping[str, int],
    caps: Mapping[str, int],
    rows: int | None,
    shortfall: Shortfall,
) -> list[Allotment]:
    """The rows of each kind, by largest remainders; without `rows` as many as the shares allow.

    Raises with the numbers of each kind where rows are short and `shortfall` is refuse, or where nothing is left.
    """
    usable = {kind: min(there[kind], caps.get(kind, there[kind])) for kind in shares}
    wanted = apportion(shares, rows) if rows is not None else _most(shares, usable)
    taken = wanted
    if any(wanted[kind] > usable[kind] for kind in shares):
        taken = {"refuse": wanted, "shrink": _most(shares, usable), "fill": _filled(shares, usable, wanted)}[shortfall]
    allotted = [
        Allotment(kind=kind, share=share, wanted=wanted[kind], there=there[kind], taken=taken[kind], cap=caps.get(kind))
        for kind, share in shares.items()
    ]
    if any(taken[kind] > usable[kind] for kind in shares):
        raise ZhongjingError(
            "the mix asks for more than there is: " + "; ".join(one.needs() for one in allotted if one.short),
            hint="ask for fewer rows, give more sources, or say shortfall: shrink or shortfall: fill",
        )
    empty = [one for one in allotted if not one.usable]
    if empty or not sum(taken.values()):
        raise ZhongjingError(
            "the mix would be empty: " + "; ".join(one.needs() for one in empty or allotted),
            hint="give more sources, or leave the kind out",
        )
    return allotted


def apportion(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    """Whole numbers in these proportions that add up to `rows`, by largest remainders."""
    total = sum(shares.values())
    exact = {kind: rows * share / total for kind, share in shares.items()}
    parts = {kind: floor(value) for kind, value in exact.items()}
    by_remainder = sorted(shares, key=lambda kind: (parts[kind] - exact[kind], kind))
    for kind in by_remainder[: rows - sum(parts.values())]:
        parts[kind] += 1
    return parts


def _most(shares: Mapping[str, float], usable: Mapping[str, int]) -> dict[str, int]:
    """The largest mix in these shares."""
    total = sum(shares.values())
    rows = floor(min(usable[kind] * total / share for kind, share in shares.items()) + 1e-9)
    parts = apportion(shares, rows)
    while any(parts[kind] > usable[kind] for kind in shares):
        rows -= 1
        parts = apportion(shares, rows)
    return parts


def _filled(shares: Mapping[str, float], usable: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    """What is wanted, and what some kinds lack made up by the others in their shares, as far as they go."""
    taken = {kind: min(wanted[kind], usable[kind]) for kind in shares}
    missing = sum(wanted.values()) - sum(taken.values())
    while missing and (open_ := {kind: share for kind, share in shares.items() if taken[kind] < usable[kind]}):
        for kind, more in apportion(open_, missing).items():
            taken[kind] = min(usable[kind], taken[kind] + more)
        missing = sum(wanted.values()) - sum(taken.values())
    return taken
