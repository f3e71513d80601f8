"""MedDialog text: blocks of `id=`, a URL, `Description`, `Dialogue`, then lines of doctor and patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from corpus.readers.base import LONGEST_ROW, Bad, Raw, UnreadableRowError, messages_of_lines, undecodable
from corpus.readers.rows import read_row
from corpus.records import Message
from foundation.text import numbered_lines

BLOCK = re.compile(r"^\s*id\s*[=:：]\s*(\S*)\s*$", re.IGNORECASE)
_SECTION = re.compile(
    r"^\s*(description|dialogue|doctor faculty|diagnosis and suggestions?|medical condition|病情描述|对话)\s*[:：]?$",
    re.IGNORECASE,
)
_FIELD = re.compile(r"^\s*(疾病|科室|内容|病情描述|希望(?:获得的|得到的?)?帮助)\s*[（(]?[^：:\n]{0,30}[：:]\s*")
_DIALOGUE = frozenset({"dialogue", "对话"})
_DESCRIPTION = frozenset({"description", "medical condition", "病情描述"})


def read_text_blocks(path: Path, encoding: str) -> Iterator[Raw | Bad]:
    """A consultation a block; its line is that of `id=`."""
    block: _Block | None = None
    for number, line in numbered_lines(path, encoding, longest=LONGEST_ROW):
        opening = BLOCK.match(line) if isinstance(line, str) else None
        if opening:
            if block is not None:
                yield _consultation(block)
            block = _Block(number, opening.group(1))
        elif block is not None:
            block.add(number, line)
        elif not isinstance(line, str) or line.strip():
            yield Bad(number, "outside_any_block", "text before the first id=")
    if block is not None:
        yield _consultation(block)


class _Block:
    """The lines under one `id=`; `fault` is the first that cannot be read, or the length of all of them."""

    def __init__(self, start: int, raw_id: str) -> None:
        self.start = start
        self.raw_id = raw_id
        self.lines: list[str] = []
        self.room = LONGEST_ROW
        self.fault: Bad | None = None

    def add(self, number: int, line: str | UnicodeDecodeError) -> None:
        if self.fault is not None:
            return
        if isinstance(line, str):
            self.lines.append(line)
            self.room -= len(line) + 1
        else:
            self.fault = undecodable(number, line)
        if self.room < 0:
            self.fault = Bad(self.start, "too_long", f"a block of more than {LONGEST_ROW:,} characters")
        if self.fault is not None:
            self.lines = []


def _consultation(block: _Block) -> Raw | Bad:
    if block.fault is not None:
        return block.fault
    sections = _sections(block.lines)
    spoken = next((lines for name, lines in sections.items() if name in _DIALOGUE), [])
    described = [line for name in _DESCRIPTION for line in sections.get(name, [])]
    disease, description = _description(described)
    try:
        messages = _with_description(messages_of_lines([line for line in spoken if line.strip()]), description)
    except UnreadableRowError as error:
        return Bad(block.start, error.reason, error.detail)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return read_row({"id": block.raw_id, "messages": turns, "disease": disease}, block.start)


def _sections(block: list[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {"": []}
    name = ""
    for line in block:
        heading = _SECTION.match(line)
        if heading:
            name = heading.group(1).lower()
            sections.setdefault(name, [])
        else:
            sections[name].append(line)
    return sections


def _description(lines: list[str]) -> tuple[str | None, str]:
    """The disease named in a description, and its words without field names."""
    disease: str | None = None
    words: list[str] = []
    field = ""
    for line in lines:
        match = _FIELD.match(line)
        field = match.group(1) if match else field
        text = line[match.end() :].strip() if match else line.strip()
        if text and field == "疾病" and disease is None:
            disease = text
        elif text:
            words.append(text)
    return disease, "\n".join(words)


def _with_description(messages: list[Message], description: str) -> list[Message]:
    """The description is the patient's first word, unless the patient repeats it."""
    said = "\n".join(message.content for message in messages if message.role == "user")
    if not description or description in said:
        return messages
    return [Message("user", description), *messages]
