"""The labelling interface of a curation review, and its tasks: a dialogue with what is in doubt marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree

from annotation.label_studio.interface import WORDS, add
from corpus.matching import Review
from corpus.records import Dialogue

VERDICT, TEXT, NOTE = "verdict", "corrected_text", "note"
VERDICTS = ("right", "corrected", "remove", "unsure")
Span = tuple[int, int]
LABELS = {
    "zh": {
        "about": "有疑问的内容（已标出）",
        "evidence": "依据",
        "right": "原文正确，保留",
        "corrected": "需要改正（在下面写出改正后的整轮回复）",
        "remove": "整段对话不宜使用",
        "unsure": "不能确定",
        TEXT: "改正后的整轮回复",
        NOTE: "理由（可不填）",
        "instruction": "<p>请核对标出的医生回复。只改有误之处，其余保持原样。</p>",
    },
    "en": {
        "about": "What is in doubt (marked)",
        "evidence": "Evidence",
        "right": "It is right as it stands",
        "corrected": "It has to be corrected (write the whole turn below)",
        "remove": "The whole dialogue is unfit",
        "unsure": "I cannot tell",
        TEXT: "The whole turn, corrected",
        NOTE: "Reasons (optional)",
        "instruction": "<p>Check the doctor's turn that is marked. Change what is wrong and nothing else.</p>",
    },
}


def review_config(language: str) -> str:
    """The interface: the dialogue, what is in doubt and why, a verdict, the corrected turn."""
    words = LABELS[language]
    view = ElementTree.Element("View")
    add(view, "HyperText", name="dialogue", value="$html")
    for name in ("about", "evidence"):
        add(view, "Header", value=words[name], size="5")
        add(view, "Text", name=name, value=f"${name}")
    group = add(view, "Choices", name=VERDICT, toName="dialogue", choice="single-radio", required="true")
    for verdict in VERDICTS:
        add(group, "Choice", value=words[verdict], alias=verdict)
    for name, rows in ((TEXT, "5"), (NOTE, "2")):
        add(view, "Header", value=words[name], size="5")
        add(view, "TextArea", name=name, toName="dialogue", rows=rows, maxSubmissions="1", editable="true")
    return ElementTree.tostring(view, encoding="unicode")


def review_data(key: str, dialogue: Dialogue, turn: int, rows: Sequence[Review], language: str) -> dict[str, Any]:
    """A task about one turn; `rows` are all lines of the review queue about it."""
    spans = {turn: [(row.start, row.end) for row in rows]}
    turns = [
        f"<p><b>{escape(WORDS[language][message.role])}</b>：{_marked(message.content, spans.get(place, []))}</p>"
        for place, message in enumerate(dialogue.messages)
    ]
    return {
        "key": key,
        "html": "".join(turns),
        "about": "\n".join(" ".join(row.claim) for row in rows),
        "evidence": "\n".join(fact for row in rows for fact in row.evidence) or "–",
    }


def _marked(text: str, spans: Sequence[Span]) -> str:
    """The text as HTML with what lies in any of the spans marked."""
    pieces, at = [], 0
    for start, end in _merged(spans, len(text)):
        pieces += [escape(text[at:start]), f"<mark>{escape(text[start:end])}</mark>"]
        at = end
    return "".join([*pieces, escape(text[at:])]).replace("\n", "<br>")


def _merged(spans: Sequence[Span], length: int) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted((max(0, start), min(end, length)) for start, end in spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
