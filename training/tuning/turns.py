"""Conversations to tokens, and which of them a doctor says.

A chat template may mark the doctor's turns with `{% generation %}`; then its author has said which they are. One that
does not is rendered turn by turn: what a turn adds to the text before it, after the words that open an answer, is the
doctor's, up to the token that ends the turn, which must be learned as well.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from corpus.records import Message
from foundation.errors import ZhongjingError, needs_extra
from training.models import shorter

with needs_extra("train", "training a language model"):
    from trl.chat_template_utils import get_training_chat_template

TAGS = re.compile(r"\{%-?\s*generation\s*-?%\}")
IGNORED = -100
PROBE = [Message("user", "头痛"), Message("assistant", "多久了"), Message("user", "三天"), Message("assistant", "休息")]


class Tokens(msgspec.Struct, frozen=True):
    """One row: `labels` are its tokens where they count, -100 elsewhere. `cut` where turns were left out."""

    input_ids: list[int]
    labels: list[int]
    cut: bool = False

    @property
    def learned(self) -> int:
        """How many tokens count."""
        return sum(label != IGNORED for label in self.labels)


def pieces_of(tokenizer: Any, content: Sequence[Message] | str, limit: int) -> list[Tokens]:
    """A conversation as one row or, where its newest turns alone are over the limit, as none; a text as several."""
    return _pieces(tokenizer, content, limit) if isinstance(content, str) else _conversation(tokenizer, content, limit)


def _conversation(tokenizer: Any, messages: Sequence[Message], limit: int) -> list[Tokens]:
    """At most `limit` tokens: the oldest turns go first."""
    for kept in shorter(messages):
        tokens = encode(tokenizer, kept)
        if len(tokens.input_ids) <= limit:
            return [msgspec.structs.replace(tokens, cut=len(kept) < len(messages))]
    return []


def _pieces(tokenizer: Any, text: str, limit: int) -> list[Tokens]:
    """A plain text between the beginning and the end of sequence, all of which counts."""
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    whole = [*begin, *tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    parts = [whole[start : start + limit] for start in range(0, len(whole), limit)]
    return [Tokens(part, list(part)) for part in parts]


def reader_of(tokenizer: Any) -> Any:
    """The tokenizer itself where its template tells the doctor's turns; else, for a family that TRL knows (Qwen3,
    DeepSeek, …), a copy with TRL's marked template; else an error that says what to do."""
    try:
        encode(tokenizer, PROBE)
    except ZhongjingError as error:
        marked = copy.copy(tokenizer)
        try:
            marked.chat_template = get_training_chat_template(tokenizer)
        except ValueError:
            raise error from None
        return marked
    return tokenizer


def says_its_end(tokenizer: Any) -> bool:
    """Whether the token at which drawing stops is among those that count in a doctor's turn."""
    return tokenizer.eos_token_id in encode(tokenizer, PROBE).labels


def encode(tokenizer: Any, messages: Sequence[Message]) -> Tokens:
    """A whole conversation; the doctor's tokens count, with the one that ends a turn."""
    plain = [{"role": message.role, "content": message.content} for message in messages]
    if TAGS.search(tokenizer.chat_template):
        coded = tokenizer.apply_chat_template(plain, return_dict=True, return_assistant_tokens_mask=True)
        ids, said = list(coded["input_ids"]), coded["assistant_masks"]
        return Tokens(ids, [token if mine else IGNORED for token, mine in zip(ids, said, strict=True)])
    text, spans = _doctors(tokenizer, plain)
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(coded["input_ids"])
    labels = [
        token if any(first <= start < last for first, last in spans) and end > start else IGNORED
        for token, (start, end) in zip(ids, coded["offset_mapping"], strict=True)
    ]
    return Tokens(ids, labels)


def _doctors(tokenizer: Any, messages: Sequence[dict[str, str]]) -> tuple[str, list[tuple[int, int]]]:
    """The conversation as text, and from where to where in it the doctor speaks."""

    def rendered(count: int, *, asking: bool) -> str:
        text: str = tokenizer.apply_chat_template(messages[:count], tokenize=False, add_generation_prompt=asking)
        return text

    whole = rendered(len(messages), asking=False)
    spans = []
    for place, message in enumerate(messages):
        if message["role"] == "assistant":
            before, after = rendered(place, asking=True), rendered(place + 1, asking=False)
            if not (whole.startswith(after) and after.startswith(before)):
                raise ZhongjingError(
                    "this chat template changes earlier turns when later ones come: the doctor's turns cannot be told",
                    hint="mark them in it with {% generation %} … {% endgeneration %} (model: chat_template: …)",
                )
            spans.append((len(before), len(after.rstrip())))
    return whole, spans
