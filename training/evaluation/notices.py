"""What a reader must know before any number: biases found, matches without a verdict, test sets with faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from training.evaluation.bias import LengthBias, PositionBias
from training.evaluation.contamination import Leak
from training.evaluation.experts import Panel
from training.evaluation.items import Loaded
from training.evaluation.rubric import OVERALL
from training.evaluation.tables import Coverage


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """A test set: its dialogues and items, and what of its file was not used."""

    name: str
    kind: str
    dialogues: int
    items: int
    unread: int
    unasking: int
    undrawn: int
    without_reference: int
    contaminated: int


def tested(loaded: Loaded, leaks: Sequence[Leak]) -> Tested:
    """What there is to say of a test set."""
    return Tested(
        name=loaded.test.name,
        kind=loaded.test.kind,
        dialogues=loaded.dialogues,
        items=len(loaded.items),
        unread=loaded.unread,
        unasking=loaded.unasking,
        undrawn=loaded.undrawn,
        without_reference=loaded.without_reference,
        contaminated=len({leak.row for leak in leaks if leak.test == loaded.test.name}),
    )


def notices(
    panels: Mapping[str, Panel],
    tests: Sequence[Tested],
    biases: Sequence[PositionBias],
    lengthy: Sequence[LengthBias],
    covered: Sequence[Coverage],
) -> Iterator[str]:
    """What a reader must know before any number, in Chinese and English."""
    for bias in biases:
        if bias.axis == OVERALL and bias.found:
            place = {"first": "先出现的回答 first", "second": "后出现的回答 second"}[str(bias.favours)]
            yield (
                f"{bias.judge} 有位置偏好：{bias.inconsistent}/{bias.pairs} 对换序后结论改变，偏向{place}。"
                f"Position bias: {bias.share:.0f} % changed with the order (p = {bias.p:.2g}) and count as ties."
            )
    for length in lengthy:
        if length.found:
            liked = "较长" if length.effect > 0 else "较短"
            yield (
                f"{length.judge} 偏向{liked}的回答：较长者在 {length.decided} 对中胜 {length.longer_won} 对。"
                f"Length bias: {length.effect:+.1f} log odds for greater length; see the length-controlled win rates."
            )
    for name, panel in panels.items():
        if panel.simulated:
            told = f"{panel.simulated} of {panel.judgements} judgements are SIMULATED, no clinician made them"
            yield f"{name}：有模拟专家的排序。{told}."
    yield from _gaps(covered)
    for test in tests:
        if test.contaminated:
            yield f"{test.name}：{test.contaminated} 段对话见于训练数据。Test dialogues are in the training data."
        if test.without_reference:
            yield f"{test.name}：{test.without_reference} 题没有医生原回复。No reference: not in BLEU, ROUGE."


def _gaps(covered: Sequence[Coverage]) -> Iterator[str]:
    reasons: dict[str, dict[str, int]] = {}
    for part in covered:
        for reason, count in part.faults.items():
            told = reasons.setdefault(part.judge, {})
            told[reason] = told.get(reason, 0) + count
    for judge, counts in reasons.items():
        told_all = ", ".join(f"{reason} {count}" for reason, count in counts.items())
        yield f"{judge}：有的比较没有结论，不计入任何一方。Matches without a verdict count for nobody: {told_all}."
