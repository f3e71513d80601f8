"""What a reader gives: rows as found, or faults with their line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from corpus.records import Message, Role
from foundation.text import TOO_LONG

# Bytes or characters that one row may have; a consultation has some thousands.
LONGEST_ROW = 8 << 20


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """A consultation as its file has it: turns not yet in order, department as named there."""

    line: int
    messages: list[Message]
    raw_id: str | None = None
    department: str | None = None
    labels: list[str] = []


class Bad(msgspec.Struct, frozen=True):
    """A row that cannot be read; `detail` names the fault without quoting the row."""

    line: int
    reason: str
    detail: str = ""


class UnreadableRowError(ValueError):
    """Raised inside a reader for one row; the message is the reason, `detail` explains."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def undecodable(line: int, error: UnicodeDecodeError) -> Bad:
    """The fault of a line that was given as its error."""
    if error.reason == TOO_LONG:
        return Bad(line, "too_long", f"a line of more than {LONGEST_ROW:,} bytes")
    return Bad(line, "encoding", f"bytes that are not {error.encoding}")


Reader = Callable[[Path, str], Iterator[Raw | Bad]]

ROLES: dict[str, Role] = {
    **dict.fromkeys(("user", "human", "patient", "患者", "病人", "用户", "问", "客户"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "bot", "model", "doctor", "chatgpt", "ai", "医生", "大夫", "医师", "答", "助手"),
        "assistant",
    ),
    "system": "system",
    "系统": "system",
}
_SPEAKERS = "患者|病人|医生|大夫|医师|用户|patient|doctor"
_LABEL = re.compile(rf"^\s*({_SPEAKERS}|问|答)\s*[：:]\s*", re.IGNORECASE)
_INLINE = re.compile(rf"(?<=[\s。！？!?；;])(?=(?:{_SPEAKERS})[：:])", re.IGNORECASE)


def role_of(name: object) -> Role:
    """The role a file's own word stands for; `unknown_role` otherwise."""
    role = ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise UnreadableRowError("unknown_role", "a turn by somebody who is neither patient, doctor nor system")
    return role


def spoken(line: str) -> tuple[Role | None, str]:
    """A line such as ``患者：头疼`` as role and words; the role is None where no speaker is named."""
    match = _LABEL.match(line)
    return (role_of(match.group(1)), line[match.end() :]) if match else (None, line)


def messages_of_lines(lines: list[str]) -> list[Message]:
    """Turns from lines with speakers; a line without one goes on with the turn before it."""
    messages: list[Message] = []
    for line in lines:
        role, words = spoken(line)
        if role is not None:
            messages.append(Message(role, words))
        elif messages:
            messages[-1].content = f"{messages[-1].content}\n{line}".lstrip("\n")
        elif line.strip():
            raise UnreadableRowError("no_speaker", "the first line does not say who speaks")
    return messages


def messages_of_text(text: str) -> list[Message]:
    """Turns from one text: a line each, or one after the other on a single line."""
    lines = text.replace("\\n", "\n").splitlines()
    if len(lines) == 1:
        lines = [part.strip() for part in _INLINE.split(lines[0])]
    return messages_of_lines(lines)
