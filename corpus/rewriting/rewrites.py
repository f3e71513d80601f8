"""What became of doctors' turns that were to be rewritten, and how they were: the lines of `rewrites.jsonl`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from rapidfuzz.distance import Indel

from corpus.records import Dialogue
from corpus.rewriting.fidelity import Fault
from foundation.endpoint import Endpoint, Usage
from foundation.endpoint import Fault as EndpointFault

REWRITES = "rewrites.jsonl"
_TAGS = {"equal": "=", "delete": "-", "insert": "+"}


class RewriteOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How turns are rewritten. A turn gets up to `attempts` answers of up to `max_tokens` each, and is shown with the
    `context` messages before it. `style` is a file with the instruction. Prices are for a million tokens, in any
    currency.
    """

    attempts: Annotated[int, Meta(ge=1)] = 3
    max_tokens: Annotated[int, Meta(ge=1)] = 1024
    temperature: Annotated[float, Meta(ge=0)] = 0.0
    seed: int = 0
    context: Annotated[int, Meta(ge=0)] = 2
    price_in: Annotated[float, Meta(ge=0)] = 0.0
    price_out: Annotated[float, Meta(ge=0)] = 0.0
    style: str | None = None


class RewriteStep(RewriteOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe says of rewriting: how, and by which endpoint."""

    endpoint: Endpoint


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer: the rewrite in it (the whole answer where it had no fit form) and what was wrong with it.

    `endpoint` is the kind of failure where there was no answer.
    """

    text: str = ""
    faults: list[Fault] = []
    endpoint: EndpointFault | None = None


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `rewrites.jsonl`: what became of one doctor's turn (messages count from 0).

    `kept` is the flag of a turn that stands as it was because no attempt was faithful. `changes` lead from the original
    to the text in the set: pairs of =, - or + and words.
    """

    dialogue_id: str
    turn: int
    outcome: Literal["rewritten", "kept"]
    attempts: list[Attempt]
    changes: list[tuple[str, str]]
    usage: Usage

    @property
    def text(self) -> str:
        """The words in the set."""
        return "".join(words for sign, words in self.changes if sign != "-")

    @property
    def failed(self) -> bool:
        """Whether the endpoint, not the rewrite, is to blame: such a turn is asked for again by the next run."""
        return self.attempts[-1].endpoint is not None


class Task(msgspec.Struct, frozen=True):
    """A doctor's turn to be rewritten."""

    dialogue: Dialogue
    turn: int

    @property
    def key(self) -> str:
        """Its name in the journal."""
        return f"{self.dialogue.id}/{self.turn}"

    @property
    def original(self) -> str:
        """The doctor's words."""
        return self.dialogue.messages[self.turn].content


def changes(one: str, other: str) -> list[tuple[str, str]]:
    """How to get from one text to another: stretches that stay (=), go (-) or come (+)."""
    pieces = []
    for step in Indel.opcodes(one, other):
        words = other[step.dest_start : step.dest_end] if step.tag == "insert" else one[step.src_start : step.src_end]
        pieces.append((_TAGS[step.tag], words))
    return pieces
