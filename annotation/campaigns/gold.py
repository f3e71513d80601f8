"""Gold: prompts whose right order is known, mixed in among the others to test their experts.

A line of a gold file is `{"prompt_id", "prompt", "outputs", "tiers"}`: `prompt` is the dialogue (or just the patient's
question), `outputs` are `{"output_id", "text"}`, `tiers` holds their ids, best first, ties in one tier. A line without
`prompt` or `outputs` takes them from the campaign's own prompts and outputs by `prompt_id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from annotation.campaigns.alike import normal
from annotation.errors import InvalidError
from corpus.records import Message, ModelOutput, Prompt, Tiers, make_id
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json

SOURCE = "gold"


class GoldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of a gold prompt; `model` is who wrote it."""

    output_id: str
    text: str
    model: str = SOURCE


class GoldLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a gold file, see above. `facts` and `department` are shown as with any other prompt."""

    tiers: Tiers
    prompt_id: str | None = None
    prompt: str | list[Message] | None = None
    outputs: list[GoldAnswer] | None = None
    facts: list[str] = []
    department: str | None = None


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """A gold prompt with its answers and their known order."""

    prompt: Prompt
    outputs: list[ModelOutput]
    tiers: Tiers


def read_gold(path: Path, prompts: Iterable[Prompt], outputs: Iterable[ModelOutput]) -> list[Gold]:
    """The gold of a file; a line without a complete order is an error with file and line."""
    known = {prompt.prompt_id: prompt for prompt in prompts}
    answers: dict[str, list[ModelOutput]] = {}
    for output in outputs:
        answers.setdefault(output.prompt_id, []).append(output)
    found: dict[str, Gold] = {}
    with existing_file(path).open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            gold = _gold(_line(line, where), known, answers, where)
            if gold.prompt.prompt_id in found:
                raise _fault(where, f"the prompt {gold.prompt.prompt_id} is there twice")
            found[gold.prompt.prompt_id] = gold
    if not found:
        raise InvalidError("empty", f"{path}: this file holds nothing")
    return list(found.values())


def _line(line: bytes, where: str) -> GoldLine:
    try:
        row = parse_json(line)
        if isinstance(row, dict) and not row.get("tiers"):
            raise _fault(where, "a gold prompt without an order")
        return msgspec.convert(row, GoldLine)
    except (BadJsonError, msgspec.ValidationError) as error:
        raise _fault(where, str(error)) from error


def _gold(
    line: GoldLine, known: Mapping[str, Prompt], answers: Mapping[str, Sequence[ModelOutput]], where: str
) -> Gold:
    prompt = _prompt(line, known, where)
    if line.outputs is None:
        outputs = list(answers.get(prompt.prompt_id, ()))
    else:
        outputs = [
            ModelOutput(prompt_id=prompt.prompt_id, output_id=row.output_id, text=row.text, model=row.model)
            for row in line.outputs
        ]
    if not outputs:
        raise _fault(where, "no answers: give outputs, or a prompt_id that outputs.jsonl has")
    if any(not output.text.strip() for output in outputs):
        raise _fault(where, "an answer is empty")
    if len({normal(output.text) for output in outputs}) < len(outputs):
        raise _fault(where, "two answers have the same text")
    named = sorted(output_id for tier in line.tiers for output_id in tier)
    if named != sorted(output.output_id for output in outputs) or not all(line.tiers):
        raise _fault(where, "the order has to name every answer exactly once, and no tier may be empty")
    if len(line.tiers) < 2:
        raise _fault(where, "an order that ties everything tests nobody")
    return Gold(prompt=prompt, outputs=outputs, tiers=[sorted(tier) for tier in line.tiers])


def _prompt(line: GoldLine, known: Mapping[str, Prompt], where: str) -> Prompt:
    if line.prompt is None:
        if line.prompt_id is None or line.prompt_id not in known:
            raise _fault(where, "no prompt: give prompt, or a prompt_id that prompts.jsonl has")
        return known[line.prompt_id]
    messages = [Message("user", line.prompt)] if isinstance(line.prompt, str) else line.prompt
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise _fault(where, "the prompt has to end on something the patient says")
    prompt_id = line.prompt_id or make_id(SOURCE, messages)
    return Prompt(
        prompt_id=prompt_id,
        messages=messages,
        dialogue_id=prompt_id,
        dataset_version=SOURCE,
        facts=line.facts,
        department=line.department,
    )


def _fault(where: str, reason: str) -> InvalidError:
    return InvalidError(
        "gold", f"{where}: {reason}", hint='{"prompt_id", "prompt", "outputs": [{"output_id", "text"}], "tiers": [[…]]}'
    )
