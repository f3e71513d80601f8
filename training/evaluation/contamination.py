"""Test dialogues that are in training data, found by the deduplication of the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from corpus.deduplication.dedup import dedup
from corpus.deduplication.duplicates import DUPLICATES, Duplicate
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from training.evaluation.items import Loaded
from training.evaluation.recipe import Contamination


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `contamination.jsonl`: a dialogue of a test set, `row`, that is like one of a training version.
    `similarity` is the Jaccard similarity of their sets of 3 characters."""

    test: str
    row: str
    version: str
    trained_on: str
    similarity: float
    exact: bool


def find_leaks(check: Contamination, tests: Sequence[Loaded]) -> list[Leak]:
    """Dialogues of the test sets that are copies or near copies of what the versions hold."""
    with TemporaryDirectory() as folder:
        return [
            leak
            for loaded in tests
            for version in check.versions
            for leak in _leaks(loaded, version, check.threshold, Path(folder) / "compared")
        ]


def without(tests: Sequence[Loaded], leaks: Sequence[Leak], check: Contamination) -> list[Loaded]:
    """The test sets that may be used: an error where the recipe refuses any leak, the rest where it drops them."""
    leaked = {(leak.test, leak.row) for leak in leaks}
    if leaked and check.then == "refuse":
        raise ZhongjingError(
            _told(leaked, leaks[0]),
            hint="train without them (corpus dedup --exclude), or set contamination: then: drop, or flag",
        )
    if check.then == "flag":
        return list(tests)
    kept = [
        msgspec.structs.replace(loaded, items=[item for item in loaded.items if (item.test, item.row) not in leaked])
        for loaded in tests
    ]
    if not any(loaded.items for loaded in kept):
        raise ZhongjingError("every test dialogue is in the training data: nothing is left to compare on")
    return kept


def _told(leaked: set[tuple[str, str]], first: Leak) -> str:
    counts = Counter(test for test, _ in sorted(leaked))
    counted = ", ".join(f"{count} of {test}" for test, count in counts.items())
    return (
        f"test dialogues are in the training data: {counted}; the first is {first.row}, like "
        f"{first.trained_on} of {first.version} ({first.similarity:.2f})"
    )


def _leaks(loaded: Loaded, version: Path, threshold: float, out: Path) -> list[Leak]:
    dedup(loaded.folder, out, threshold=threshold, against=version)
    used = {item.row for item in loaded.items}
    return [
        Leak(
            test=loaded.test.name,
            row=row.removed,
            version=version.name,
            trained_on=row.keeper,
            similarity=row.similarity,
            exact=row.reason == "exact",
        )
        for row in read_records(out / DUPLICATES, Duplicate)
        if row.removed in used and row.removed is not None and row.within == version.name
    ]
