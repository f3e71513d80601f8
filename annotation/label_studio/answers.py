"""From an annotation's JSON to a decision. It may come from a page, a script or a colleague: nothing is assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotation.campaigns.drafts import MOST_ANSWERS
from annotation.label_studio.interface import CANNOT_JUDGE, NONE_ACCEPTABLE, NOTE, UNSORTED, bucket
from annotation.ranking import Decision
from corpus.records import Dimension, Tiers


class FaultError(ValueError):
    """Why an annotation is not used; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decision_of(result: Any, dimensions: Sequence[Dimension], shown: Sequence[str]) -> Decision:
    """What an expert decided about the labels `shown`; raises `FaultError`."""
    values = controls(result)
    boards = {dimension: _board(values.pop(dimension, None), dimension, shown) for dimension in dimensions}
    reasons = chosen(values.pop(CANNOT_JUDGE, None))
    acceptable = chosen(values.pop(NONE_ACCEPTABLE, None))
    note = written(values.pop(NOTE, None))
    if values or acceptable not in ([], [NONE_ACCEPTABLE]) or len(reasons) > 1:
        raise FaultError("malformed")
    if reasons:
        if acceptable or any(tiers for tiers, _ in boards.values()):
            raise FaultError("contradictory")
        return Decision(verdict="cannot_judge", reason=reasons[0], note=note)
    for tiers, unsorted in boards.values():
        if unsorted:
            raise FaultError("leftovers" if tiers else "untouched")
    orders = {dimension: tiers for dimension, (tiers, _) in boards.items()}
    return Decision(orders=orders, note=note, none_acceptable=bool(acceptable))


def controls(result: Any) -> dict[str, Mapping[str, Any]]:
    """The value of each control; no control speaks twice."""
    if not isinstance(result, list) or not result:
        raise FaultError("malformed")
    values: dict[str, Mapping[str, Any]] = {}
    for item in result:
        if not isinstance(item, dict):
            raise FaultError("malformed")
        name, value = item.get("from_name"), item.get("value")
        if not isinstance(name, str) or not isinstance(value, dict) or name in values:
            raise FaultError("malformed")
        values[name] = value
    return values


def _board(value: Mapping[str, Any] | None, dimension: str, shown: Sequence[str]) -> tuple[Tiers, list[str]]:
    """Tiers, best first, and what was left unsorted: together every label shown exactly once."""
    if value is None:
        return [], list(shown)
    columns = value.get("ranker")
    tiers = [bucket(dimension, tier) for tier in range(1, MOST_ANSWERS + 1)]
    if not isinstance(columns, dict) or not set(columns) <= {UNSORTED, *tiers}:
        raise FaultError("malformed")
    if not all(isinstance(cards, list) for cards in columns.values()):
        raise FaultError("malformed")
    found = [label for cards in columns.values() for label in cards]
    if any(not isinstance(label, str) for label in found) or sorted(found) != sorted(shown):
        raise FaultError("not_a_permutation")
    return [columns[tier] for tier in tiers if columns.get(tier)], columns.get(UNSORTED, [])


def chosen(value: Mapping[str, Any] | None) -> list[str]:
    """The choices made in a control, by alias."""
    return _strings(value, "choices")


def written(value: Mapping[str, Any] | None) -> str | None:
    """What was written in a control, None where nothing was."""
    return "\n".join(_strings(value, "text")).strip() or None


def _strings(value: Mapping[str, Any] | None, name: str) -> list[str]:
    if value is None:
        return []
    found = value.get(name)
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise FaultError("malformed")
    return found
