"""The files a campaign is made from."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from annotation.errors import InvalidError
from corpus.records import ModelOutput, Prompt
from foundation.jsonl import read_records

Row = TypeVar("Row")


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a truth file."""

    output_id: str
    quality: float


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of `prompts.jsonl`; an error where there is none."""
    return _some(list(read_records(path, Prompt)), path)


def read_outputs(path: Path) -> list[ModelOutput]:
    """The answers of `outputs.jsonl`; an error where there is none."""
    return _some(list(read_records(path, ModelOutput)), path)


def read_truth(path: Path) -> dict[str, float]:
    """Quality by output id from a truth file of {"output_id", "quality"} lines."""
    return {row.output_id: row.quality for row in _some(list(read_records(path, Quality)), path)}


def _some(rows: list[Row], path: Path) -> list[Row]:
    if not rows:
        raise InvalidError("empty", f"{path}: this file holds nothing")
    return rows
