"""`preferences.jsonl`: pairs in TRL's explicit form, gathered by prompt so that a prompt is one element of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from corpus.records import Message, Split, make_id
from training.examples import BadRowError, Example, Examples, Gathering, Pair, decode, lines_of, ordered_pairs


class _Row(msgspec.Struct):
    """What is read of a line. Files of others have the first three alone: then all of it is trained on."""

    prompt: list[Message]
    chosen: Annotated[list[Message], msgspec.Meta(min_length=1, max_length=1)]
    rejected: Annotated[list[Message], msgspec.Meta(min_length=1, max_length=1)]
    margin: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    prompt_id: str | None = None
    split: Split = "train"


class _Group(msgspec.Struct):
    """The pairs of one prompt so far; `answers` keeps the place of each text."""

    line: int
    split: Split
    prompt: list[Message]
    answers: dict[str, int] = {}
    pairs: dict[tuple[int, int], float] = {}


def read_preferences(path: Path) -> Examples:
    """The pairs of a file, by prompt. Damaged rows are left out with a reason.

    Raises `ZhongjingError` where train and test share a prompt, or where nothing is left to train on.
    """
    gathering = Gathering(path)
    groups: dict[str, _Group] = {}
    for line, text in lines_of(path):
        try:
            row = decode(text, _Row)
            identity = row.prompt_id or make_id("p", msgspec.to_builtins(row.prompt))
            gathering.refuse_shared(line, row.split, row.prompt, {"prompt_id": identity})
            _add(groups.setdefault(identity, _Group(line, row.split, row.prompt)), row)
        except BadRowError as error:
            gathering.reject(line, error)
    for identity, group in groups.items():
        gathering.add(group.split, _example(identity, group))
    return gathering.examples()


def _add(group: _Group, row: _Row) -> None:
    better, worse = row.chosen[0], row.rejected[0]
    if row.prompt != group.prompt:
        raise BadRowError("other_prompt", f"line {group.line} has another prompt under the same prompt_id")
    if better.role != "assistant" or worse.role != "assistant":
        raise BadRowError("bad_row", "chosen and rejected are one assistant turn each")
    if better.content == worse.content:
        raise BadRowError("same_answer", "chosen and rejected are the same")
    places = [group.answers.setdefault(turn.content, len(group.answers)) for turn in (better, worse)]
    pair = (places[0], places[1])
    if pair in group.pairs:
        raise BadRowError("repeated", "this pair occurs a second time")
    group.pairs[pair] = 1.0 if row.margin is None else row.margin


def _example(identity: str, group: _Group) -> Example:
    return Example(
        line=group.line,
        prompt_id=identity,
        prompt=group.prompt,
        answers=list(group.answers),
        models=[""] * len(group.answers),
        pairs=[Pair(better, worse, margin) for (better, worse), margin in sorted(group.pairs.items())],
        tiers=_tiers(set(group.pairs), len(group.answers)),
    )


def _tiers(pairs: set[tuple[int, int]], answers: int) -> list[int] | None:
    """The order with ties whose ordered pairs are exactly these; None where there is none."""
    above = [sum(worse == place for _, worse in pairs) for place in range(answers)]
    levels = sorted(set(above))
    tiers = [levels.index(count) for count in above]
    return tiers if set(ordered_pairs(tiers)) == pairs else None
