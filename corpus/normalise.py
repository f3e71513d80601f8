"""Text brought to one form: width, script, platform marks, punctuation, space. Numbers and units stay as they are."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Dialogue, Message
from corpus.sets import Drop, SetWriter, StageResult, plan_step
from corpus.steps import Change, map_step, one_by_one
from corpus.turns import repair

STAGE = "normalise"

# What consultation platforms add and nobody said.
BOILERPLATE = tuple(
    re.compile(pattern)
    for pattern in (
        r"[\[【(（](?:图片|语音|视频|表情|附件|文件|链接|图|动画表情|语音消息|图片消息|位置)[\]】)）]",
        r"图片因隐私问题无法显示|（?仅主诊医生和患者本人可见）?|\(?仅主诊医生和患者本人可见\)?",
        r"(?:此|本)(?:回复|消息|信息)来自[^，。\n]{0,12}(?:app|App|APP|客户端|手机版|网站)",
        r"来自[：:]?好大夫在线[^，。\n\d]{0,8}|微信扫一扫(?:关注)?(?:公众号)?|长按识别二维码",
        r"(?:[【\[]?温馨提示[】\]：:]*)?(?:以上|本|此)(?:内容|回复|回答|解答|建议|意见|信息)仅供(?:您|患者)?参考"
        r"[，,]?(?:不能?(?:作为|代替)(?:诊断(?:依据)?|面诊)|具体请遵医嘱)?[。！!]?",
        r"(?:本次)?(?:咨询|问诊|对话)(?:已经?结束|已关闭|服务已结束)[。！!]?|(?:系统(?:自动)?(?:消息|提示|回复)|AI智能助手)[：:]",
        r"感谢您的信任[，,]病情资料我已详细阅读[。.]",
        r"以上是对[“\"'‘][^”\"'’\n\d]{1,60}[”\"'’](?:这个|该)?问题的(?:建议|回答|解答)[，,]?",
        r"(?:感谢您的(?:进行)?咨询[，,])?(?:期望|希望)(?:我的|上述的?|以上的?)(?:解释|答案|回答|解答|回复|建议)"
        r"[^，。！!?？\n\d]{0,8}(?:帮助|协助)(?!医生|医师|诊断|判断)(?:到|您|你|得到|有)*(?:[，,]谢谢)?[。！!]?",
    )
)

_PUNCTUATION = "，。！？：；（）【】《》〈〉「」『』“”‘’、～—…·－＂＇"
_CONTROL = frozenset({"Cc", "Cf", "Co", "Cs"})
_ELLIPSIS = re.compile(r"\.{3,}|。{3,}|…{3,}|·{3,}|．{3,}")
_REPEATED = re.compile(r"([，。！？；：、!?;~～,])\1+")
_SPACES = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_ENDS = re.compile(r" ?(?:\r\n|[\n\r\v\f\u0085\u2028\u2029]) ?(?:[\r\n\v\f\u0085\u2028\u2029] ?)*")
_ONLY_MARKS = re.compile(r"[\W_]*")


class Normalise(msgspec.Struct, frozen=True):
    """The step."""

    def start(self) -> Change:
        """Nothing to open."""
        return one_by_one(_normalise_dialogue)


def normalise(source: Path, out: Path, *, processes: int | None = None, reuse: bool = False) -> StageResult:
    """Normalise every turn of the set `source`; turns left empty go, turns of one role that then meet are joined."""
    return map_step(plan_step(STAGE, source, {}), out, Normalise(), processes=processes, reuse=reuse)


def normalise_text(text: str) -> str:
    """One turn in normal form; empty where nothing but platform marks was in it.

    >>> normalise_text("頭痛三天了！！！每次５㎎[图片]")
    '头痛三天了！每次5mg'
    """
    return _tidy(_without_boilerplate(_simplify(fold_width(text)))[0])


def fold_width(text: str) -> str:
    """NFKC where it is safe: letters, digits and units to one width; ①, ², ½, Ⅱ, ℃ and Chinese punctuation stay.

    Control, formatting and private-use characters go; line feeds stay.
    """
    return text.translate(_FOLDING)


def _normalise_dialogue(dialogue: Dialogue, writer: SetWriter) -> Dialogue | Drop:
    turns: list[Message] = []
    for message in dialogue.messages:
        simplified = _simplify(fold_width(message.content))
        bare, marks = _without_boilerplate(simplified)
        content = _tidy(bare)
        writer.details["boilerplate_removed"] += marks
        writer.details["turns_changed"] += content != message.content
        writer.details["turns_emptied"] += not content
        turns.append(Message(message.role, content))
    messages, fault, greetings = repair(turns)
    if fault is not None:
        return Drop(fault if any(turn.content for turn in turns) else "empty")
    writer.details["greetings_dropped"] += greetings
    return Dialogue(**{**_fields(dialogue), "messages": messages})


def _fields(dialogue: Dialogue) -> dict[str, Any]:
    return {name: getattr(dialogue, name) for name in dialogue.__struct_fields__}


def _simplify(text: str) -> str:
    return text if text.isascii() else str(_converter().convert(text))


def _without_boilerplate(text: str) -> tuple[str, int]:
    removed = 0
    for pattern in BOILERPLATE:
        text, count = pattern.subn("", text)
        removed += count
    return text, removed


def _tidy(text: str) -> str:
    text = _ELLIPSIS.sub("……", _LINE_ENDS.sub("\n", _SPACES.sub(" ", text)))
    text = _REPEATED.sub(r"\1", text).strip()
    return "" if _ONLY_MARKS.fullmatch(text) and not re.search(r"[?？+\-±]", text) else text


@cache
def _converter() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")


class _Folding(dict[int, str | None]):
    """A table for `str.translate` that works out a character when it is first met."""

    def __missing__(self, code: int) -> str | None:
        self[code] = _folded(chr(code))
        return self[code]


def _folded(character: str) -> str | None:
    if character in "\n\r\t\v\f\u0085\u2028\u2029" or character in _PUNCTUATION:
        return character
    if unicodedata.category(character) in _CONTROL:
        return None
    code = ord(character)
    if 0xFF01 <= code <= 0xFF5E or 0xF900 <= code <= 0xFAFF or 0x2F00 <= code <= 0x2FDF:
        return unicodedata.normalize("NFKC", character)
    if 0x3371 <= code <= 0x33DF:
        return _unit(character)
    return character


def _unit(character: str) -> str:
    """㎎ is mg; but ㎡ is not m2, which would read as another number."""
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isalpha() else character


_FOLDING = _Folding()
