"""Duplicates removed: exact copies by key, near copies by MinHash and then by exact Jaccard with their own keeper."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from corpus.normalise import fold_width
from corpus.records import Dialogue
from corpus.sets import SetWriter, StageResult, plan_step, read_dialogues, run_step
from corpus.turns import inquires
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from foundation.progress import progress

if TYPE_CHECKING:
    from corpus.minhash import Star

STAGE = "dedup"
DUPLICATES = "duplicates.jsonl"
THRESHOLD = 0.5

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[^\w\s]+(?=\d)")
_NOT_COMPARED = re.compile(r"[^\w.]+|_|(?<!\d)\.|\.(?!\d)")
_NUMBER = re.compile(
    r"\d+(?:\.\d+)?|[一二两三四五六七八九十百半]+(?=[片粒次天周年岁袋支包滴颗盒倍]|个月|小时|分钟|毫克|毫升)"
)


class Duplicate(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A line of `duplicates.jsonl`: `removed` went in favour of `keeper`, or `flagged` stayed beside it.

    `similarity` is the exact Jaccard similarity of 3-gram sets, `ratio` rapidfuzz's of the joined turns, both from
    0 to 1. Flagged pairs are as alike as duplicates but contradict each other in a number; a dialogue is flagged once,
    beside the one it is most like.
    """

    keeper: str
    similarity: float
    ratio: float
    reason: str
    removed: str | None = None
    flagged: str | None = None


class _Candidate(msgspec.Struct, frozen=True):
    id: str
    text: str
    score: tuple[int, int, int, int]
    key: bytes
    numbers: list[int]


def dedup(source: Path, out: Path, *, threshold: float = THRESHOLD, reuse: bool = False) -> StageResult:
    """Remove exact and near duplicates from the set `source`; every removal is a line of `duplicates.jsonl`.

    Of two alike the one with the better score stays: a doctor's last word, doctor's questions, turns, length,
    then the smaller id. Dialogues alike but for contradicting numbers are flagged and stay.
    """
    if not 0 < threshold <= 1:
        raise ZhongjingError(f"a threshold of {threshold} makes no sense", hint="give one over 0 and at most 1")
    plan = plan_step(STAGE, source, {"threshold": threshold})
    return run_step(plan, out, lambda writer: _work(source, threshold, writer), reuse=reuse)


def comparable(dialogue: Dialogue) -> str:
    """The text by which dialogues are compared: letters and digits of all turns, points inside numbers kept."""
    text = fold_width("\n".join(message.content for message in dialogue.messages)).lower()
    return _NOT_COMPARED.sub("", _BETWEEN_DIGITS.sub(".", text))


def numbers_of(dialogue: Dialogue) -> list[str]:
    """Numbers in all turns, also 两片 and 三次, sorted."""
    text = fold_width("\n".join(message.content for message in dialogue.messages))
    return sorted(_NUMBER.findall(text))


def _work(source: Path, threshold: float, writer: SetWriter) -> None:
    with progress("comparing"):
        candidates = [_candidate(dialogue) for dialogue in read_dialogues(source)]
        exact = _exact(candidates)
        copies = {row.removed for row in exact}
        near = list(_near([candidate for candidate in candidates if candidate.id not in copies], threshold))
        rows = [*_to_last_keeper(exact, near), *near]
    rows.sort(key=lambda row: (row.removed or "", row.flagged or "", row.keeper))
    write_records(writer.folder / DUPLICATES, rows)
    removed = {row.removed: row for row in rows if row.removed is not None}
    for reason in ("exact", "near"):
        writer.details[reason] = sum(row.reason == reason for row in rows)
    writer.details["flagged_for_numbers"] = sum(row.flagged is not None for row in rows)
    for dialogue in read_dialogues(source):
        row = removed.get(dialogue.id)
        if row is None:
            writer.keep(dialogue)
        else:
            writer.drop(dialogue, "duplicate", f"{row.reason} copy of {row.keeper}")


def _candidate(dialogue: Dialogue) -> _Candidate:
    text = comparable(dialogue)
    doctor = [message.content for message in dialogue.messages if message.role == "assistant"]
    answered = int(dialogue.messages[-1].role == "assistant")
    return _Candidate(
        id=dialogue.id,
        text=text,
        score=(answered, sum(map(inquires, doctor)), len(dialogue.messages), len(text)),
        key=hashlib.blake2b(text.encode(), digest_size=16).digest(),
        numbers=sorted(_hash(number) for number in numbers_of(dialogue)),
    )


def _exact(candidates: Iterable[_Candidate]) -> list[Duplicate]:
    """Copies with the same text; the best of each stays."""
    best: dict[bytes, _Candidate] = {}
    copies: list[_Candidate] = []
    for candidate in sorted(candidates, key=_rank):
        if candidate.key in best:
            copies.append(candidate)
        else:
            best[candidate.key] = candidate
    return [
        Duplicate(removed=copy.id, keeper=best[copy.key].id, similarity=1.0, ratio=1.0, reason="exact")
        for copy in copies
    ]


def _to_last_keeper(exact: Iterable[Duplicate], near: Iterable[Duplicate]) -> Iterator[Duplicate]:
    """Where the keeper of a copy went as a near copy itself, its keeper is as near to the copy: the texts are one."""
    gone = {row.removed: row for row in near if row.removed is not None}
    for row in exact:
        further = gone.get(row.keeper)
        yield msgspec.structs.replace(further, removed=row.removed) if further is not None else row


def _near(candidates: list[_Candidate], threshold: float) -> Iterator[Duplicate]:
    import numpy as np

    from corpus.minhash import band_keys, bands_for, code_points, star

    if not candidates:
        return
    texts = code_points([candidate.text for candidate in candidates])
    order = np.array(sorted(range(len(candidates)), key=lambda index: _rank(candidates[index])), dtype=np.int64)
    offsets = np.cumsum([0, *(len(candidate.numbers) for candidate in candidates)], dtype=np.int64)
    numbers = np.array([number for candidate in candidates for number in candidate.numbers], dtype=np.uint32)
    found = star(texts, band_keys(texts, bands_for(threshold)), order, (numbers, offsets), threshold)
    yield from _rows(candidates, found)


def _rows(candidates: list[_Candidate], found: Star) -> Iterator[Duplicate]:
    for index, keeper in enumerate(found.keeper.tolist()):
        if keeper != index:
            gone, stays = candidates[index], candidates[keeper]
            yield Duplicate(
                removed=gone.id,
                keeper=stays.id,
                similarity=_rounded(found.similarity[index]),
                ratio=_ratio(gone.text, stays.text),
                reason="near",
            )
    for (keeper, other), similarity in zip(found.flagged.tolist(), found.flagged_similarity.tolist(), strict=True):
        yield Duplicate(
            flagged=candidates[other].id,
            keeper=candidates[keeper].id,
            similarity=_rounded(similarity),
            ratio=_ratio(candidates[other].text, candidates[keeper].text),
            reason="numbers_differ",
        )


def _rank(candidate: _Candidate) -> tuple[tuple[int, ...], str]:
    """Sorts the best first."""
    return tuple(-part for part in candidate.score), candidate.id


def _hash(number: str) -> int:
    return int.from_bytes(hashlib.blake2b(number.encode(), digest_size=4).digest(), "little")


def _ratio(first: str, second: str) -> float:
    from rapidfuzz import fuzz

    return _rounded(fuzz.ratio(first, second) / 100)


def _rounded(value: float) -> float:
    return round(float(value), 4)
