"""Documents to learn language from: plain text, Markdown, JSON (texts or records such as case notes), dialogue sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from corpus.readers.base import LONGEST_ROW, Bad, undecodable
from corpus.readers.json_files import json_lines, json_values
from corpus.sets import read_dialogues
from corpus.turns import spoken
from foundation.text import detect_encoding, numbered_lines, numbered_pieces

_MARKDOWN = frozenset((".md", ".markdown"))
_TEXT_KEYS = ("text", "content", "正文", "内容", "全文", "document", "passage", "body", "article")
_TITLE_KEYS = ("title", "标题", "题目", "name", "名称")
_NOT_SAID = frozenset(("id", "_id", "uuid", "url", "link", "source", "md5", "编号", "序号", "链接"))
_CONVERSATION = frozenset(("messages", "conversations", "conversation", "history", "dialog", "dialogue"))
_CALLED = {
    "chief_complaint": "主诉",
    "history_of_present_illness": "现病史",
    "present_illness": "现病史",
    "past_history": "既往史",
    "past_medical_history": "既往史",
    "personal_history": "个人史",
    "family_history": "家族史",
    "allergies": "过敏史",
    "physical_examination": "体格检查",
    "auxiliary_examination": "辅助检查",
    "diagnosis": "诊断",
    "treatment": "治疗",
    "medication": "用药",
    "department": "科室",
    "age": "年龄",
    "gender": "性别",
    "sex": "性别",
}
_MARKS = (
    (re.compile(r"<!--.*?-->"), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"</?[A-Za-z][^>]{0,200}>"), ""),
    (re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$"), r"\1"),
    (re.compile(r"^\s*>+\s?"), ""),
    (re.compile(r"^\s*[-*+]\s+(?:\[[ xX]\]\s+)?"), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"`+([^`]*)`+"), r"\1"),
)
_RULE = re.compile(
    r"^\s*(?:[-*_]\s*){3,}$|^\s*(?:```|~~~)|^\s*={3,}\s*$|^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$"
)
_FRONT = "---"


class Paragraph(msgspec.Struct, frozen=True):
    """A paragraph and the line it begins on."""

    line: int
    text: str


class Document(msgspec.Struct, frozen=True):
    """A document as its file has it."""

    file: str
    paragraphs: list[Paragraph]


def read_documents(path: Path, name: str) -> Iterator[Document | Bad]:
    """The documents of a file (or set), and what of it cannot be read. What a file is shows in its first character;
    Markdown in its name."""
    if path.is_dir():
        for dialogue in read_dialogues(path):
            yield Document(dialogue.meta.file, [Paragraph(dialogue.meta.line, spoken(dialogue))])
        return
    encoding = detect_encoding(path)
    first = _beginning(path, encoding)
    if first in ("{", "["):
        read = json_lines if first == "{" and _is_lines(path, encoding) else json_values
        for row in read(path, encoding, _of_record):
            yield Document(name, [row]) if isinstance(row, Paragraph) else row
        return
    clean = _unmarked if Path(path.name.removesuffix(".gz")).suffix.lower() in _MARKDOWN else None
    faults: list[Bad] = []
    paragraphs = list(_paragraphs(path, encoding, clean, faults))
    yield from faults
    if paragraphs:
        yield Document(name, paragraphs)
    elif not faults:
        yield Bad(1, "empty", "no text in this file")


def _beginning(path: Path, encoding: str) -> str:
    for _, piece in numbered_pieces(path, encoding):
        if piece.strip():
            return piece.strip()[0]
    return ""


def _is_lines(path: Path, encoding: str) -> bool:
    """Whether each line is an object of its own: the first one that is filled closes what it opens."""
    for _, line in numbered_lines(path, encoding, longest=LONGEST_ROW):
        if isinstance(line, UnicodeDecodeError) or line.strip():
            return not isinstance(line, str) or line.rstrip().endswith("}")
    return True


def _paragraphs(
    path: Path, encoding: str, clean: Callable[[str], str | None] | None, faults: list[Bad]
) -> Iterator[Paragraph]:
    """Paragraphs between empty lines. What does not decode goes to `faults`."""
    held: list[str] = []
    start, front = 0, False
    for number, line in numbered_lines(path, encoding, longest=LONGEST_ROW):
        if isinstance(line, UnicodeDecodeError):
            faults.append(undecodable(number, line))
            continue
        if clean is not None and line.rstrip() == _FRONT and (front or number == 1):
            front = not front
        text = "" if front else clean(line) if clean is not None else line.strip()
        if text:
            start = start if held else number
            held.append(text)
        if not text and not line.strip() and held:
            yield Paragraph(start, "\n".join(held))
            held = []
    if held:
        yield Paragraph(start, "\n".join(held))


def _unmarked(line: str) -> str | None:
    """A line of Markdown without its marks; None for one that is nothing else."""
    if _RULE.match(line):
        return None
    for mark, instead in _MARKS:
        line = mark.sub(instead, line)
    if line.count("|") >= 2:
        line = "，".join(cell.strip() for cell in line.strip().strip("|").split("|") if cell.strip())
    return line.strip()


def _of_record(value: Any, line: int) -> Paragraph | Bad:
    """A text, the text of an object, or an object's fields one after the other (case notes)."""
    if isinstance(value, str):
        return Paragraph(line, value.strip()) if value.strip() else Bad(line, "empty", "a text without words")
    if not isinstance(value, dict):
        return Bad(line, "no_text", "neither a text nor an object")
    if _CONVERSATION & value.keys():
        return Bad(line, "conversation", "a conversation: run `corpus import` and give its set")
    text = next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str) and value[key].strip()), None)
    if text is None:
        text = "\n".join(_fields(value))
    else:
        title = next((value[key] for key in _TITLE_KEYS if isinstance(value.get(key), str)), "")
        text = f"{title}\n{text}".strip()
    return Paragraph(line, text.strip()) if text.strip() else Bad(line, "no_text", "an object without a text")


def _fields(record: dict[str, Any]) -> Iterator[str]:
    """Lines such as 主诉：头痛三天, in the order of the record."""
    for key, value in record.items():
        if key.lower() in _NOT_SAID or value in (None, "", [], {}):
            continue
        name = _CALLED.get(key.lower(), key)
        if isinstance(value, dict):
            inner = "；".join(_fields(value))
            if inner:
                yield f"{name}：{inner}"
        elif isinstance(value, list):
            listed = "、".join("；".join(_fields(one)) if isinstance(one, dict) else str(one) for one in value)
            yield f"{name}：{listed}"
        else:
            yield f"{name}：{value}"
