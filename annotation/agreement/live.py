"""Figures that pages ask for again and again: worked out once, and anew only after something was submitted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import TypeVar

from sqlalchemy.orm import Session

from annotation.agreement.ballots import Ballots

KEPT = 64
CAMPAIGNS = 8

Figure = TypeVar("Figure")


class Live:
    """The ballots of the campaigns that were looked at last, and figures made from them, in this process's memory."""

    def __init__(self) -> None:
        self._turn = RLock()
        self._ballots: OrderedDict[int, Ballots] = OrderedDict()
        self._figures: OrderedDict[Hashable, object] = OrderedDict()

    def ballots(self, session: Session, campaign_id: int) -> Ballots:
        """A campaign's ballots, with what was submitted since the last look."""
        with self._turn:
            found = self._ballots.setdefault(campaign_id, Ballots(campaign_id))
            found.follow(session)
            self._ballots.move_to_end(campaign_id)
            while len(self._ballots) > CAMPAIGNS:
                self._ballots.popitem(last=False)
            return found

    def figure(self, make: Callable[[], Figure], *key: Hashable) -> Figure:
        """What `make` returns, kept for as long as `key` is asked for; the key names all that it depends on."""
        with self._turn:
            if key not in self._figures:
                self._figures[key] = make()
            self._figures.move_to_end(key)
            while len(self._figures) > KEPT:
                self._figures.popitem(last=False)
            return self._figures[key]  # type: ignore[return-value]
