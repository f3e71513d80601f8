"""What an annotation must be before it is used. It was seen on a server where anyone may do anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from annotation.label_studio.answers import FaultError

CLOCKS_DIFFER = timedelta(minutes=2)
REASONS: dict[str, tuple[str, str]] = {
    "unknown_task": ("不是我们发送的题目", "a task that we did not send"),
    "task_changed": ("题目内容在那边被改动", "the task's texts were changed there"),
    "interface_changed": ("标注界面在那边被改动", "the labelling interface was changed there"),
    "wrong_person": ("不是该项目的专家所做", "not by the expert whose project it is"),
    "edited_by_other": ("最后由他人修改", "last changed by someone else"),
    "ground_truth": ("被标为标准答案", "marked as ground truth"),
    "skipped": ("被跳过", "skipped"),
    "second_annotation": ("同一题目的第二份标注", "a second annotation of the same task"),
    "implausible_time": ("时间不可能", "its times cannot be"),
    "untouched": ("没有排序", "nothing was sorted"),
    "leftovers": ("有回答没有排入", "some answers were left unsorted"),
    "not_a_permutation": ("与显示的回答不符", "not exactly the answers that were shown"),
    "contradictory": ("既排了序又选了“无法判断”", "an order, and yet “cannot judge”"),
    "malformed": ("不是该界面会发送的内容", "not what the interface sends"),
    "ranked_here": ("专家已在本站排过", "the expert has ranked this on our own page"),
    "closed": ("项目已结束", "the campaign is closed"),
    "refused": ("不能作为排序保存", "refused as a ranking"),
}
"""Why an annotation is not used, in Chinese and English."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation of which the outside is known: who made it when, by that server's stamps."""

    id: int
    result: Any
    completed_by: int | None
    updated_by: int | None
    created_at: datetime
    updated_at: datetime
    was_cancelled: bool
    ground_truth: bool
    lead_time: float | None


def seen(raw: Mapping[str, Any]) -> Seen:
    """The outside of an annotation; `FaultError` where it is not even one."""
    author = raw.get("completed_by")
    try:
        return msgspec.convert(
            {**raw, "completed_by": author.get("id") if isinstance(author, dict) else author}, Seen, strict=True
        )
    except msgspec.ValidationError as error:
        raise FaultError("malformed") from error


def check_people(annotation: Seen, expert: int | None) -> None:
    """Made and last changed by the expert herself, and not raised to a truth."""
    if expert is None or annotation.completed_by != expert:
        raise FaultError("wrong_person")
    if annotation.updated_by != expert:
        raise FaultError("edited_by_other")
    if annotation.ground_truth:
        raise FaultError("ground_truth")
    if annotation.was_cancelled:
        raise FaultError("skipped")


def seconds_on_task(annotation: Seen, begun: datetime, moment: datetime) -> float:
    """Time on task as the page measured it, bounded by what that server saw pass since `begun`: when the task was sent
    or the expert finished another one. `moment` is now."""
    lead = annotation.lead_time
    elapsed = (annotation.created_at - begun).total_seconds()
    if elapsed < 0 or annotation.updated_at < annotation.created_at or annotation.updated_at > moment + CLOCKS_DIFFER:
        raise FaultError("implausible_time")
    if lead is not None and (not math.isfinite(lead) or lead < 0):
        raise FaultError("implausible_time")
    return elapsed if lead is None else min(lead, elapsed)


def stamp(text: Any) -> datetime:
    """A moment as that server writes it."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise FaultError("malformed") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
