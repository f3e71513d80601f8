"""MedDialog text: blocks of `id=`, a URL, `Description`, `Dialogue`, then lines of doctor and patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from corpus.readers.base import Bad, Raw, UnreadableRowError, messages_of_lines
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
    block: list[str] = []
    start, raw_id, broken = 0, "", False
    for number, line in numbered_lines(path, encoding):
        text = line if isinstance(line, str) else ""
        opening = BLOCK.match(text)
        if opening:
            if start:
                yield _consultation(block, start, raw_id, broken=broken)
            block, start, raw_id, broken = [], number, opening.group(1), False
        elif start:
            block.append(text)
            broken |= not isinstance(line, str)
        elif not isinstance(line, str) or text.strip():
            yield Bad(number, "outside_any_block", "text before the first id=")
    if start:
        yield _consultation(block, start, raw_id, broken=broken)


def _consultation(block: list[str], start: int, raw_id: str, *, broken: bool) -> Raw | Bad:
    if broken:
        return Bad(start, "encoding", "bytes that do not decode")
    sections = _sections(block)
    spoken = next((lines for name, lines in sections.items() if name in _DIALOGUE), [])
    described = [line for name in _DESCRIPTION for line in sections.get(name, [])]
    disease, description = _description(described)
    try:
        messages = _with_description(messages_of_lines([line for line in spoken if line.strip()]), description)
    except UnreadableRowError as error:
        return Bad(start, error.reason, error.detail)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return read_row({"id": raw_id, "messages": turns, "disease": disease}, start)


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
