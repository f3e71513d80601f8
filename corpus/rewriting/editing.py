"""What an endpoint is asked for one turn, and what may pass for its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from corpus.records import Message
from corpus.rewriting.fidelity import Fault
from corpus.turns import spoken_turn
from foundation.endpoint import Reply
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json

KEY = "reply"
_FORM = f'只输出一个 JSON 对象，形如 {{"{KEY}": "改写后的回复"}}，不要输出别的内容。'
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A\s*```(?:json)?\s*(.*?)\s*```\s*\Z", re.DOTALL)
_QUOTES = re.compile(r"\A[\"“「](.*)[\"”」]\Z", re.DOTALL)
_MARK = re.compile(r"\[[^\[\]\s]{1,12}\]")
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufffd]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LEAST_HAN = 0.3
_ROOM, _TIMES = 160, 4
_QUOTED = 1_000


def style_of(path: Path | None) -> str:
    """The instruction that says how doctors should speak: a file's, or the project's own."""
    if path is None:
        return files("corpus").joinpath("data/style.txt").read_text(encoding="utf-8")
    return existing_file(path).read_text(encoding="utf-8")


def request(style: str, before: Sequence[Message], text: str) -> list[dict[str, str]]:
    """The conversation that asks for a rewrite of the doctor's `text`, which came after the turns `before`."""
    spoken = "\n".join(map(spoken_turn, before))
    asked = f"对话（只供理解，不要改写）：\n{spoken}\n\n要改写的医生回复：\n{text}"
    return [{"role": "system", "content": f"{style.strip()}\n{_FORM}"}, {"role": "user", "content": asked}]


def again(answer: str, faults: Sequence[Fault]) -> list[dict[str, str]]:
    """What is added to the conversation where an answer will not do, with the reasons."""
    reasons = "\n".join(f"- {fault.reason()}" for fault in faults)
    return [
        {"role": "assistant", "content": answer[:_QUOTED]},
        {"role": "user", "content": f"这次改写与原文不符：\n{reasons}\n请对照原文重新改写。{_FORM}"},
    ]


def read_reply(reply: Reply, original: str) -> str | Fault:
    """The rewrite in an answer, or what is wrong with the answer's form. Not every model does as it is told: an answer
    without any JSON is taken for the rewrite itself, which is checked all the same."""
    if reply.finish == "length":
        return _fault("没有写完")
    text = _THOUGHTS.sub("", reply.text)
    if not text.strip():
        return _fault("空的")
    fenced = _FENCE.match(text)
    bare = fenced[1] if fenced else text.strip()
    if not bare.startswith(("{", "[")) or bare.startswith(_surrogate(original)):
        return _fitting(_QUOTES.sub(r"\1", bare), original)
    try:
        answer = parse_json(bare)
    except BadJsonError:
        return _fault("不是完整的 JSON")
    if not isinstance(answer, dict) or not isinstance(answer.get(KEY), str):
        return _fault(f"JSON 里应当有 {KEY} 一项")
    return _fitting(answer[KEY].strip(), original)


def _surrogate(original: str) -> tuple[str, ...]:
    """The surrogate that an original begins with: what begins with it is no JSON."""
    found = _MARK.match(original)
    return (found[0],) if found else ()


def _fitting(rewrite: str, original: str) -> str | Fault:
    if not rewrite:
        return _fault("空的")
    if len(rewrite) > _ROOM + _TIMES * len(original):
        return _fault("太长")
    if _ODD.search(rewrite):
        return _fault("有不该有的控制符")
    if _han_share(rewrite) < min(_LEAST_HAN, _han_share(original)):
        return _fault("不是中文")
    return rewrite


def _han_share(text: str) -> float:
    letters = [one for one in text if one.isalnum()]
    return len(_HAN.findall(text)) / len(letters) if letters else 0.0


def _fault(what: str) -> Fault:
    return Fault("form", "changed", what)
