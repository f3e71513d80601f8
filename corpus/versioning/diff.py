"""What changed from one version to another: dialogues added, removed, changed, counted by department and reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Dialogue
from corpus.sets import REJECTS, count_dialogues, read_dialogues
from foundation.jsonl import dump_json
from foundation.manifest import read_manifest
from foundation.progress import track
from foundation.rejects import read_rejects

GONE = "not among what was read"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """From version `old` to `new`. `reasons` say why removed dialogues are not in `new`: step and reason, or `GONE`.

    `changed` maps ids to the fields that differ; `parameters` are those that differ, a step at a time, as [old, new].
    """

    old: str
    new: str
    dialogues: tuple[int, int]
    added: list[str]
    removed: list[str]
    changed: dict[str, list[str]]
    added_departments: dict[str, int]
    removed_departments: dict[str, int]
    changed_fields: dict[str, int]
    reasons: dict[str, int]
    parameters: dict[str, tuple[Any, Any]]

    def lines(self) -> Iterator[str]:
        """For a person: counts, never text."""
        yield f"{self.old} -> {self.new}: {self.dialogues[0]:,} -> {self.dialogues[1]:,} dialogues"
        yield f"added {len(self.added):,}{_by(self.added_departments)}"
        yield f"removed {len(self.removed):,}{_by(self.removed_departments)}"
        if self.reasons:
            yield f"  why: {_listed(self.reasons)}"
        yield f"changed {len(self.changed):,}{_by(self.changed_fields)}"
        for name, (before, after) in self.parameters.items():
            yield f"{name}: {_told(before)} -> {_told(after)}"


class _Row(msgspec.Struct, frozen=True):
    department: str
    digests: tuple[bytes, ...]


_FIELDS = tuple(name for name in Dialogue.__struct_fields__ if name != "id")


def diff(old: Path, new: Path) -> Difference:
    """Compare two versions (or sets) by the ids of their dialogues, which stand for raw file, line and words."""
    before, after = _rows(old), _rows(new)
    added = [name for name in after if name not in before]
    removed = [name for name in before if name not in after]
    changed = {
        name: [
            field for field, one, other in zip(_FIELDS, row.digests, after[name].digests, strict=True) if one != other
        ]
        for name, row in before.items()
        if name in after and row.digests != after[name].digests
    }
    return Difference(
        old=old.name,
        new=new.name,
        dialogues=(len(before), len(after)),
        added=added,
        removed=removed,
        changed=changed,
        added_departments=_counted(after[name].department for name in added),
        removed_departments=_counted(before[name].department for name in removed),
        changed_fields=_counted(field for fields in changed.values() for field in fields),
        reasons=_reasons(new, removed),
        parameters=_parameters(old, new),
    )


def _rows(folder: Path) -> dict[str, _Row]:
    dialogues = track(read_dialogues(folder), f"reading {folder.name}", count_dialogues(folder))
    return {dialogue.id: _Row(dialogue.department or "unknown", _digests(dialogue)) for dialogue in dialogues}


def _digests(dialogue: Dialogue) -> tuple[bytes, ...]:
    fields = (msgspec.json.encode(getattr(dialogue, name)) for name in _FIELDS)
    return tuple(hashlib.blake2b(field, digest_size=6).digest() for field in fields)


def _reasons(new: Path, removed: Sequence[str]) -> dict[str, int]:
    why = {reject.id: f"{reject.stage}: {reject.reason}" for reject in read_rejects(new / REJECTS) if reject.id}
    return _counted(why.get(name, GONE) for name in removed)


def _parameters(old: Path, new: Path) -> dict[str, tuple[Any, Any]]:
    before, after = (read_manifest(folder).parameters for folder in (old, new))
    both = before.pop("steps", {}), after.pop("steps", {})
    return _unequal(before, after) | _unequal(
        *({f"step {name}": step for name, step in steps.items()} for steps in both)
    )


def _unequal(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*before, *after])
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _told(parameter: Any) -> str:
    return "none" if parameter is None else dump_json(parameter).decode()


def _by(counts: dict[str, int]) -> str:
    return f": {_listed(counts)}" if counts else ""


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
