"""A made-up test set, answers of known quality, and judges over real HTTP whose ways are known."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundation.endpoint import Endpoint

DEPARTMENTS = ["内科", "儿科", "皮肤科"]
KEYS = [
    "accuracy",
    "safety",
    "ethics",
    "comprehension",
    "clarity",
    "initiative",
    "coherence",
    "consistency",
    "warmth",
]
ASKS = ["医生您好，我头痛{n}天了，怎么办？", "已经{n}天了，要吃药吗？", "好的，谢谢医生。"]
REPLIES = [
    "您好，还有别的不舒服吗？请先休息。",
    "请先休息，多喝水，第{n}天还不好请到医院检查。",
    "不客气，祝您早日康复。",
]

Script = Callable[[dict[str, Any]], Any]


def consultation(number: int) -> dict[str, Any]:
    asks = [text.format(n=number + 1) for text in ASKS]
    replies = [text.format(n=number + 1) for text in REPLIES]
    return {
        "id": f"t{number}",
        "cate1": DEPARTMENTS[number % len(DEPARTMENTS)],
        "cate2": "",
        "instruction": asks[2],
        "input": "",
        "output": replies[2],
        "history": [[asks[0], replies[0]], [asks[1], replies[1]]],
    }


@pytest.fixture(scope="session")
def test_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve consultations of three turns, the last of which only thanks."""
    path = tmp_path_factory.mktemp("tests") / "tests.json"
    path.write_text(json.dumps([consultation(number) for number in range(12)], ensure_ascii=False), "utf-8")
    return path


@pytest.fixture
def answers_of(test_file: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a baseline file in CMtMedQA's own form, with an answer to each asking turn made by a function of the number
    of the consultation and of the turn."""

    def write(name: str, answer: Callable[[int, int], str]) -> Path:
        rows = []
        for number in range(12):
            whole = consultation(number)
            for turn, (asked, _) in enumerate(whole["history"]):
                rows.append(
                    whole | {"instruction": asked, "history": whole["history"][:turn], "output": answer(number, turn)}
                )
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
        return path

    return write


def shown(asked: dict[str, Any]) -> tuple[str, str]:
    """The two answers that a judge was shown, in their order."""
    text = asked["messages"][1]["content"]
    first, second = re.split(r"\n\n【回答乙】\n", text.split("【回答甲】\n")[1])
    return first, second


def verdict(preference: float) -> str:
    """A reply: the first answer is better in everything where `preference` is over 0."""
    said = "甲" if preference > 0 else "乙" if preference < 0 else "平"
    return f"```json\n{json.dumps(dict.fromkeys(KEYS, said), ensure_ascii=False)}\n```"


def quality(text: str) -> int:
    return text.count("请")


def chance(*parts: Any) -> float:
    """A number from 0 to 1 that depends on `parts` alone."""
    return zlib.crc32(repr(parts).encode()) / 2**32


def fair(asked: dict[str, Any]) -> str:
    first, second = shown(asked)
    return verdict(quality(first) - quality(second))


def first_lover(asked: dict[str, Any]) -> str:
    return verdict(1)


def length_lover(asked: dict[str, Any]) -> str:
    first, second = shown(asked)
    return verdict(len(first) - len(second))


JUDGES: dict[str, Script] = {"fair": fair, "first": first_lover, "longer": length_lover}


@pytest.fixture
def judges(scripted: Any) -> Any:
    """A service whose models are judges: fair, first (prefers what stands first), longer."""
    scripted.script = lambda asked: JUDGES[asked["model"]](asked)
    return scripted


@pytest.fixture
def endpoint(scripted: Any) -> Callable[..., Endpoint]:
    def make(model: str, **options: Any) -> Endpoint:
        quick = {"connections": 2, "timeout": 30.0, "retries": 1, "backoff": 0.001} | options
        return Endpoint(base_url=scripted.url, model=model, **quick)

    return make


@pytest.fixture
def tools() -> Any:
    """The functions above, for scripts that tests make."""
    return {"shown": shown, "verdict": verdict, "quality": quality, "chance": chance, "fair": fair}
