"""A language model as judge: both orders of every pair, its replies checked and asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from corpus.records import Message
from foundation.cli import warn
from foundation.endpoint import Client, EndpointError
from training.evaluation.recipe import LlmJudge
from training.evaluation.rubric import FIRST, SECOND, Outcome, Rubric
from training.evaluation.store import Store, key_of
from training.evaluation.verdicts import Match, Verdict, agreed, judgeable, swapped

NONSENSE = "nonsense"
SPEAKERS = {"user": "患者", "assistant": "医生", "system": "系统"}
CUT = "……（以下略）"
HEADINGS = str.maketrans("【】", "〔〕")

Chat = list[dict[str, str]]


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the judge said of a pair in one order, the first answer's side; or why it said nothing. `asked_again` counts
    replies that were no verdict."""

    outcome: Outcome = {}
    asked_again: int = 0
    fault: str | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge did: replies asked for again, and readings that failed, by reason."""

    asked_again: int = 0
    faults: dict[str, int] = {}


def judge_pairs(
    judge: LlmJudge, rubric: Rubric, every: Sequence[Match], store: Store[Reading]
) -> tuple[list[Verdict], Work]:
    """A verdict on every pair. Readings of the same judge on the same words are taken from the store.

    A pair of which one order failed has no verdict. An endpoint that cannot be reached at all ends the run.
    """
    able, verdicts = judgeable(judge.name, every, list(rubric.axes))
    rules = rubric.text()
    asked = {(place, turned): _chat(judge, rules, able[place], turned) for place, turned in _orders(len(able))}
    keys = {order: key_of(_identity(judge), chat) for order, chat in asked.items()}
    readings = {order: reading for order, key in keys.items() if (reading := store.found(key)) is not None}
    missing = [order for order in asked if order not in readings]
    if missing:
        with Client(judge.endpoint) as client:

            def read(order: tuple[int, bool]) -> Reading:
                return _reading(client, judge, rubric, asked[order])

            for order, reading in client.each(missing, read, f"judge {judge.name}"):
                readings[order] = reading
                if reading.fault is None:
                    store.add({keys[order]: reading})
            used = client.usage
        tokens = f"{used.prompt_tokens + used.completion_tokens:,} tokens"
        warn(f"judge {judge.name}: {used.requests:,} requests, {used.retries:,} of them again, {tokens}")
    verdicts += [
        _verdict(judge, rubric, match, readings[place, False], readings[place, True])
        for place, match in enumerate(able)
    ]
    return verdicts, _work(list(readings.values()))


def _orders(pairs: int) -> list[tuple[int, bool]]:
    return [(place, turned) for place in range(pairs) for turned in (False, True)]


def _identity(judge: LlmJudge) -> list[str | int]:
    return [judge.endpoint.base_url, judge.endpoint.model, judge.max_tokens, judge.json_schema]


def _form(judge: LlmJudge, rubric: Rubric) -> dict[str, Any]:
    """What holds a server to the form of a verdict (OpenAI's structured outputs, vLLM)."""
    if not judge.json_schema:
        return {}
    schema = {"name": "verdict", "strict": True, "schema": rubric.schema()}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _reading(client: Client, judge: LlmJudge, rubric: Rubric, chat: Chat) -> Reading:
    """Ask until the reply is a verdict, at most so often; each time it is told what was wrong."""
    fault = ""
    for again in range(judge.asks_again + 1):
        try:
            reply = client.chat(chat, max_tokens=judge.max_tokens, **_form(judge, rubric))
        except EndpointError as error:
            if error.hopeless:
                raise
            return Reading(fault=error.fault, asked_again=again)
        try:
            return Reading(outcome=rubric.read(reply.text), asked_again=again)
        except ValueError as error:
            fault = str(error)
        chat = [*chat, {"role": "assistant", "content": reply.text[: judge.max_tokens]}]
        chat.append({"role": "user", "content": rubric.again.format(fault=fault)})
    return Reading(fault=NONSENSE, asked_again=judge.asks_again)


def _verdict(judge: LlmJudge, rubric: Rubric, match: Match, straight: Reading, turned: Reading) -> Verdict:
    fault = straight.fault or turned.fault
    if fault is not None:
        return match.verdict(judge.name, fault=fault)
    orders = [rubric.whole(straight.outcome), swapped(rubric.whole(turned.outcome))]
    return match.verdict(judge.name, agreed(orders), orders=orders)


def _chat(judge: LlmJudge, rules: str, match: Match, turned: bool) -> Chat:
    """The rubric, the conversation and both answers, one of the models first."""
    texts = [match.first.text, match.second.text]
    first, second = (_shown(text, judge.longest_answer) for text in (texts[::-1] if turned else texts))
    parts = [
        f"【对话】\n{conversation(match.item.prompt.messages)}",
        f"【回答{FIRST}】\n{first}",
        f"【回答{SECOND}】\n{second}",
    ]
    return [{"role": "system", "content": rules}, {"role": "user", "content": "\n\n".join(parts)}]


def conversation(messages: Sequence[Message]) -> str:
    """A conversation to be read, a turn a line."""
    return "\n".join(f"{SPEAKERS[message.role]}：{message.content}" for message in messages)


def _shown(text: str, longest: int) -> str:
    """An answer that cannot pass for one of our own headings, no longer than so."""
    text = text.translate(HEADINGS)
    return text if len(text) <= longest else text[:longest] + CUT


def _work(readings: Sequence[Reading]) -> Work:
    counts: Mapping[str, int] = Counter(reading.fault for reading in readings if reading.fault)
    return Work(asked_again=sum(reading.asked_again for reading in readings), faults=dict(sorted(counts.items())))
