"""What people decided about turns that were held up for review, brought into the next version.

A line of `decisions.jsonl` says what is to become of one doctor's turn. It names the words it is about by a hash, so
that a decision is never applied to other words than those that were read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from corpus.records import Dialogue, Message, make_id
from corpus.sets import Drop, SetWriter, StageResult, arrow_batches, plan_step
from corpus.steps import Change, Outcome, map_step, one_by_one
from foundation.cli import warn
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.manifest import entry_of

STAGE = "decide"
Verdict = Literal["right", "corrected", "remove"]


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`right`: the turn stands as it is. `corrected`: it reads `text` instead. `remove`: the whole dialogue goes.

    `turn` counts messages from 0, `was` is `turn_id` of the words that were read, `by` says who decided where.
    """

    dialogue_id: str
    turn: int
    was: str
    verdict: Verdict
    text: str | None = None
    note: str | None = None
    by: str = ""


def turn_id(content: str) -> str:
    """What the words of a turn are called in a decision."""
    return make_id("turn", content)


def read_decisions(path: Path) -> dict[str, list[Decision]]:
    """The decisions of a file by dialogue; a correction without words is an error with file and line."""
    found: dict[str, list[Decision]] = defaultdict(list)
    for number, row in enumerate(read_records(path, Decision), start=1):
        if (row.verdict == "corrected") != bool(row.text and row.text.strip()):
            raise ZhongjingError("a correction, and nothing else, has a text", where=f"{path}:{number}")
        found[row.dialogue_id].append(row)
    return dict(found)


class Decide(msgspec.Struct, frozen=True):
    """The step, with the file of decisions."""

    decisions: Path

    def start(self) -> Change:
        """Read the decisions."""
        decided = read_decisions(self.decisions)

        def change(dialogue: Dialogue, writer: SetWriter) -> Outcome:
            rows = decided.get(dialogue.id)
            return dialogue if rows is None else _apply(dialogue, rows, writer.details)

        return one_by_one(change)


def decide(
    source: Path, decisions: Path, out: Path, *, processes: int | None = None, reuse: bool = False
) -> StageResult:
    """Write the set `out`: the dialogues of `source` as people decided they should be.

    Decisions about other words than a turn has now are `decisions_outdated`, turns decided in different ways are
    `decisions_at_odds`, those about a patient's words `decisions_not_on_a_doctor`: none is applied, and how many are
    about dialogues that are not there is said. A corrected dialogue has lost its graph report; match it again.
    """
    plan = plan_step(STAGE, source, {})
    plan = msgspec.structs.replace(plan, inputs=[*plan.inputs, entry_of(decisions, "decisions")])
    _say_strangers(read_decisions(decisions), source)
    return map_step(plan, out, Decide(decisions), processes=processes, reuse=reuse)


def _say_strangers(decided: Mapping[str, Sequence[Decision]], source: Path) -> None:
    here = {
        name for batch in arrow_batches(source, ["id"]) for name in batch.column("id").to_pylist() if name in decided
    }
    if strangers := sum(len(rows) for name, rows in decided.items() if name not in here):
        warn(f"{strangers:,} decisions are about dialogues that {source} does not hold; they are not applied")


def _apply(dialogue: Dialogue, rows: Sequence[Decision], details: Counter[str]) -> Outcome:
    by_turn = _standing(dialogue, rows, details)
    if any(row.verdict == "remove" for row in by_turn.values()):
        return Drop("removed_in_review")
    details["turns_confirmed"] += sum(row.verdict == "right" for row in by_turn.values())
    texts = {turn: row.text.strip() for turn, row in by_turn.items() if row.text}
    details["turns_corrected"] += len(texts)
    if not texts:
        return dialogue
    messages = [
        Message(message.role, texts.get(turn, message.content)) for turn, message in enumerate(dialogue.messages)
    ]
    return msgspec.structs.replace(dialogue, messages=messages, kg=None)


def _standing(dialogue: Dialogue, rows: Sequence[Decision], details: Counter[str]) -> Mapping[int, Decision]:
    """The decisions that can be applied, one a turn."""
    ways: dict[int, dict[tuple[str, str | None], Decision]] = defaultdict(dict)
    for row in rows:
        said = dialogue.messages[row.turn] if 0 <= row.turn < len(dialogue.messages) else None
        if said is not None and said.role != "assistant":
            details["decisions_not_on_a_doctor"] += 1
        elif said is not None and turn_id(said.content) == row.was:
            ways[row.turn][row.verdict, row.text] = row
        else:
            details["decisions_outdated"] += 1
    details["decisions_at_odds"] += sum(len(found) > 1 for found in ways.values())
    return {turn: next(iter(found.values())) for turn, found in ways.items() if len(found) == 1}
