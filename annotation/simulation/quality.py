"""How good an answer looks to a simulated expert who is told nothing: a stated heuristic, not medical judgement.

It sees the prompt, the answer and the doctor's real reply where there is one, never the model's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from corpus.records import Prompt

GOOD_LENGTH = (30, 250)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_READABLE = re.compile(r"[\u4e00-\u9fff0-9，。！？：；、（）《》“”%.\-~\s]|mg|ml|kg|cm|mmHg|CT|MRI|[A-Z]{1,4}")
_ASKS = re.compile(r"[？?]|请问|有没有|是否|多久|多大")
_COMMON = frozenset("的了是我你您在有和就不也都这那个会要可以吗呢啊吧到一下很还去")


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """What each part counts for; penalties are taken off."""

    reference: float = 1.0
    prompt: float = 0.6
    asks_back: float = 0.25
    length: float = 0.8
    repetition: float = 1.2
    unreadable: float = 1.5


def apparent_quality(prompt: Prompt, answer: str, weights: Weights | None = None) -> float:
    """A weighted sum of parts in 0 to 1: shared characters with reference and prompt, a question back, a sensible
    length; minus repetition and unreadable mixtures."""
    weights = weights or Weights()
    return (
        weights.reference * _coverage(prompt.reference or "", answer)
        + weights.prompt * _coverage(prompt.messages[-1].content, answer)
        + weights.asks_back * bool(_ASKS.search(answer))
        + weights.length * _length(answer)
        - weights.repetition * _repetition(answer)
        - weights.unreadable * _unreadable(answer)
    )


def latent_quality(prompt: Prompt, answers: Mapping[str, str], truth: Mapping[str, float] | None) -> dict[str, float]:
    """Each answer's quality by output id: from `truth` where it is given, otherwise as it looks."""
    if truth is not None:
        return {output_id: truth[output_id] for output_id in answers}
    return {output_id: apparent_quality(prompt, text) for output_id, text in answers.items()}


def _coverage(wanted: str, answer: str) -> float:
    """Share of the telling Chinese characters of `wanted` that `answer` has."""
    characters = set(_HAN.findall(wanted)) - _COMMON
    return len(characters & set(answer)) / len(characters) if characters else 0.0


def _length(answer: str) -> float:
    low, high = GOOD_LENGTH
    size = len(answer)
    return min(1.0, size / low, high / size) if size else 0.0


def _repetition(answer: str) -> float:
    grams = [answer[start : start + 3] for start in range(len(answer) - 2)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _unreadable(answer: str) -> float:
    return len(_READABLE.sub("", answer)) / len(answer) if answer else 1.0
