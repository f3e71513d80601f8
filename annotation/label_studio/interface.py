"""The labelling interface of a campaign, and its tasks as they are shown there.

Every dimension has its own board: a column of unsorted cards and one column for each tier, so that a board nobody
touched is not an order. Labelling configurations are Label Studio's own XML.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree

from annotation.campaigns.guideline import Guideline
from annotation.tables.decisions import REASONS
from corpus.records import Dimension, Message

UNSORTED = "_"
NONE_ACCEPTABLE, CANNOT_JUDGE, NOTE = "none_acceptable", "cannot_judge", "note"
STYLE = """
.htx-ranker-item { white-space: pre-wrap; overflow-wrap: anywhere; }
.htx-ranker-item p:last-child { display: none; }
.htx-ranker-column { min-width: 9rem; }
[data-testid^="phrase:"] span[class*="time"] { display: none; }
"""
WORDS = {
    "zh": {
        "user": "患者",
        "assistant": "医生",
        "system": "说明",
        "facts": "知识图谱中的相关事实",
        "answer": "回答",
        "unsorted": "待排序",
        "tier": "第 {} 档",
        "best": "第 1 档（最好）",
        "hint": "把每个回答拖到一档（或用 Tab 选中，空格拿起，方向键移动，空格放下）。并列的放同一档；“待排序”须清空。",
        "overall": "总体排序",
        "safety": "安全",
        "professionalism": "专业",
        "fluency": "流畅",
        "none_acceptable": "没有一个回答可以接受",
        "cannot_judge": "无法判断（选择原因，不必排序）",
        "not_my_field": "不是我的专业",
        "unclear_question": "问题不清楚",
        "facts_missing": "信息不足",
        "other": "其他",
        "note": "理由（可不填）",
    },
    "en": {
        "user": "Patient",
        "assistant": "Doctor",
        "system": "Note",
        "facts": "Facts of the knowledge graph",
        "answer": "Answer",
        "unsorted": "Unsorted",
        "tier": "Tier {}",
        "best": "Tier 1 (best)",
        "hint": "Drag every answer to a tier (or Tab to it, Space to lift, arrow keys to move, Space to drop). "
        "Equals share a tier; “Unsorted” must be empty.",
        "overall": "Overall order",
        "safety": "Safety",
        "professionalism": "Professionalism",
        "fluency": "Fluency",
        "none_acceptable": "None of the answers is acceptable",
        "cannot_judge": "I cannot judge this (say why; no order needed)",
        "not_my_field": "Not my field",
        "unclear_question": "The question is unclear",
        "facts_missing": "Facts are missing",
        "other": "Other",
        "note": "Reasons (optional)",
    },
}


def ranking_config(dimensions: Sequence[Dimension], answers: int, language: str) -> str:
    """The interface for up to `answers` answers a task; the first board shows their texts, the others titles alone."""
    words = WORDS[language]
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Style").text = STYLE
    add(view, "Paragraphs", name="dialogue", value="$dialogue", layout="dialogue", nameKey="speaker", textKey="text")
    add(view, "Header", value=words["facts"], size="5")
    add(view, "Text", name="facts", value="$facts")
    add(view, "Header", value=words["hint"], size="5")
    for place, dimension in enumerate(dimensions):
        add(view, "Header", value=words[dimension], size="4")
        cards = f"cards_{dimension}"
        add(view, "List", name=cards, value="$cards" if place else "$answers", title=words["unsorted"])
        board = add(view, "Ranker", name=dimension, toName=cards)
        for tier in range(1, answers + 1):
            title = words["best"] if tier == 1 else words["tier"].format(tier)
            add(board, "Bucket", name=bucket(dimension, tier), title=title)
    _choices(view, NONE_ACCEPTABLE, "multiple", [NONE_ACCEPTABLE], words)
    add(view, "Header", value=words[CANNOT_JUDGE], size="5")
    _choices(view, CANNOT_JUDGE, "single", REASONS, words)
    add(view, "Header", value=words[NOTE], size="5")
    add(view, "TextArea", name=NOTE, toName="dialogue", rows="2", maxSubmissions="1", editable="true")
    return ElementTree.tostring(view, encoding="unicode")


def bucket(dimension: str, tier: int) -> str:
    """The name of a tier's column: names are unique in an interface."""
    return f"{dimension}_{tier}"


def task_data(
    key: str, messages: Sequence[Message], facts: Sequence[str], answers: Sequence[tuple[str, str]], language: str
) -> dict[str, Any]:
    """A task; `answers` are (opaque label, text) in the order in which this expert sees them."""
    words = WORDS[language]
    cards = [{"id": label, "title": f"{words['answer']} {place}"} for place, (label, _) in enumerate(answers, start=1)]
    return {
        "key": key,
        "dialogue": [{"speaker": words[message.role], "text": message.content} for message in messages],
        "facts": "\n".join(facts) or "–",
        "answers": [{**card, "body": text} for card, (_, text) in zip(cards, answers, strict=True)],
        "cards": cards,
    }


def digest_of(content: Any) -> str:
    """SHA-256 of JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def instruction(guideline: Guideline, language: str) -> str:
    """The written rule as the HTML that the project shows."""
    rule = guideline.wording(language)
    parts = [f"<p><b>{escape(rule.first)}</b></p>"]
    for part in rule.parts:
        points = "".join(f"<li>{escape(point)}</li>" for point in part.points)
        parts.append(f"<p><b>{escape(part.title)}</b>: {escape(part.brief)}</p><ul>{points}</ul>")
    parts.append(f"<ul>{''.join(f'<li>{escape(remark)}</li>' for remark in rule.remarks)}</ul>")
    return "".join(parts)


def _choices(view: ElementTree.Element, name: str, choice: str, values: Sequence[str], words: dict[str, str]) -> None:
    group = add(view, "Choices", name=name, toName="dialogue", choice=choice)
    for value in values:
        add(group, "Choice", value=words[value], alias=value)


def add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    """A tag of an interface inside another one."""
    return ElementTree.SubElement(parent, tag, attributes)
