"""Doctors' turns rewritten by endpoints that are honest, that lie, and that break."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpus.build import build
from corpus.matching import REVIEW, Review
from corpus.records import Dialogue, Rewriting
from corpus.rewriting.rewrite import rewrite
from corpus.rewriting.rewrites import REWRITES, Rewrite, RewriteOptions, changes
from corpus.sets import DIALOGUES, Plan, SetWriter, StageResult, read_dialogues, run_step
from foundation.endpoint import Endpoint
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from kg.building.build import build_graph

TRIPLES = Path(__file__).parent / "rewrites" / "triples.csv"
CONSULTATION = [
    "医生，我感冒发烧三天了，吃什么药",
    "布洛芬一次0.3g，一天两次，饭后吃，孕妇不能吃",
    "还要注意啥",
    "多喝水，别喝酒。咳嗽有痰吗？",
    "没有，谢谢",
    "不客气",
]
FAITHFUL = {
    CONSULTATION[1]: "您好，布洛芬请每次服用0.3g，每日2次，饭后服用，孕妇不可以服用。",
    CONSULTATION[3]: "建议您多饮水，不要饮酒。请问您咳嗽有痰吗？",
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph") / "kg"
    build_graph([TRIPLES], folder)
    return folder


@pytest.fixture
def clean(tmp_path: Path, make_dialogue: Callable[..., Dialogue]) -> Callable[..., Path]:
    """Writes dialogues as a set that says it was de-identified."""

    def make(*many: list[str]) -> Path:
        def work(writer: SetWriter) -> None:
            for number, turns in enumerate(many, start=1):
                writer.keep(make_dialogue(turns, number=number))

        run_step(Plan(stage="deidentify", inputs=[], parameters={}), tmp_path / "clean", work)
        return tmp_path / "clean"

    return make


@pytest.fixture
def run(scripted: Any, graph: Path, tmp_path: Path) -> Callable[..., StageResult]:
    def rewrite_it(source: Path, name: str = "out", **options: Any) -> StageResult:
        endpoint = Endpoint(base_url=scripted.url, model="m", backoff=0.001, retries=2, timeout=30, connections=4)
        return rewrite(source, graph, tmp_path / name, endpoint, options=RewriteOptions(**options))

    return rewrite_it


def original(asked: dict[str, Any]) -> str:
    return str(asked["messages"][1]["content"]).rpartition("要改写的医生回复：\n")[2]


def reply(text: str) -> str:
    return json.dumps({"reply": text}, ensure_ascii=False)


def honest(asked: dict[str, Any]) -> str:
    return reply(FAITHFUL.get(original(asked), original(asked)))


def lines(folder: Path) -> list[Rewrite]:
    return list(read_records(folder / REWRITES, Rewrite))


def test_faithful_rewrites_stand_and_patients_words_stay(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    scripted.script = honest
    result = run(clean(CONSULTATION), price_in=1_000_000, price_out=0)
    (dialogue,) = read_dialogues(tmp_path / "out")
    said = [message.content for message in dialogue.messages]
    assert said[::2] == CONSULTATION[::2]
    assert said[1::2] == [FAITHFUL[CONSULTATION[1]], FAITHFUL[CONSULTATION[3]], "不客气"]
    assert dialogue.rewriting == Rewriting(rewritten=[1, 3])
    assert result.details["turns_rewritten"] == 2
    assert result.details["turns_of_courtesy"] == 1
    assert result.details["cost"] == "14.0000"
    for row in lines(tmp_path / "out"):
        assert "".join(words for sign, words in row.changes if sign != "+") == CONSULTATION[row.turn]
        assert row.text == said[row.turn]
        assert row.outcome == "rewritten"
    assert not (tmp_path / "out" / REVIEW).exists()
    assert not (tmp_path / ".out.turns").exists()
    assert {asked["model"] for asked in scripted.asked} == {"m"}


LIES = {
    "drops a dose": ("0.3g", ""),
    "changes a dose": ("0.3g", "3g"),
    "drops a rhythm": ("，每日2次", ""),
    "adds a drug": ("饭后服用", "饭后服用，同时服用阿莫西林"),
    "another drug": ("布洛芬", "阿司匹林"),
    "turns a prohibition": ("不可以", "可以"),
    "turns a denial": ("不要饮酒", "可以饮酒"),
    "drops advice": ("多饮水，", ""),
    "adds advice": ("不要饮酒", "不要饮酒，及时就医"),
    "drops a question": ("请问您咳嗽有痰吗？", ""),
    "adds a question": ("有痰吗？", "有痰吗？您对什么药物过敏？"),
    "another time": ("饭后", "饭前"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_retried_with_the_reasons_then_the_original_stays(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path, lie: str
) -> None:
    wrong, right = LIES[lie]
    scripted.script = lambda asked: honest(asked).replace(wrong, right)
    result = run(clean(CONSULTATION), attempts=2)
    (dialogue,) = read_dialogues(tmp_path / "out")
    (kept,) = [row for row in lines(tmp_path / "out") if row.outcome == "kept"]
    assert dialogue.messages[kept.turn].content == CONSULTATION[kept.turn] == kept.text
    assert dialogue.rewriting is not None and dialogue.rewriting.kept == [kept.turn]
    assert [bool(attempt.faults) for attempt in kept.attempts] == [True, True]
    assert (result.details["turns_kept"], result.details["turns_rewritten"]) == (1, 1)
    (review,) = read_records(tmp_path / "out" / REVIEW, Review)
    assert (review.dialogue_id, review.turn, review.claim[0]) == (dialogue.id, kept.turn, "rewrite")
    assert review.evidence[0] == "1. " + kept.attempts[0].faults[0].reason()
    second = next(asked for asked in scripted.asked if len(asked["messages"]) == 4)
    assert kept.attempts[0].faults[0].reason() in second["messages"][3]["content"]


def test_who_repents_is_heard(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    scripted.script = lambda asked: honest(asked) if len(asked["messages"]) == 4 else honest(asked).replace("0.3", "3")
    result = run(clean(CONSULTATION))
    assert result.details["turns_rewritten"] == 2
    assert result.details["answers_rejected"] == 1
    assert "turns_kept" not in result.details


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("", "form"),
        ('{"reply": "您好，布洛', "form"),
        ("您好", "entity"),
        ("hello, take care of yourself", "form"),
        (reply(""), "form"),
        (reply("药" * 100_000), "form"),
        ("药" * 100_000, "form"),
        ('{"reply": "hello, take care"}', "form"),
        ('{"reply": "您好\\u0007，布洛芬"}', "form"),
        ('{"reply": ["您好"]}', "form"),
        ('{"reply": "您好", "reply": "您好"}', "form"),
        ({"choices": [{"finish_reason": "length", "message": {"content": reply("您好")}}]}, "form"),
        (400, "endpoint"),
        (429, "endpoint"),
        (500, "endpoint"),
        (None, "endpoint"),
        (b"{half", "endpoint"),
        ("药" * 1_000_000, "endpoint"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_rewrite_leaves_the_original(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path, answer: Any, kind: str
) -> None:
    scripted.script = lambda asked: answer
    result = run(clean(CONSULTATION[:2]), attempts=2)
    (dialogue,) = read_dialogues(tmp_path / "out")
    assert [message.content for message in dialogue.messages] == CONSULTATION[:2]
    assert result.details["turns_kept"] == 1
    (review,) = read_records(tmp_path / "out" / REVIEW, Review)
    assert review.claim[1] == kind
    assert (tmp_path / "out" / REWRITES).stat().st_size < 20_000


def test_fences_and_thoughts_around_the_answer_are_taken_off(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult]
) -> None:
    scripted.script = lambda asked: f"<think>0.3g…</think>\n```json\n{honest(asked)}\n```"
    assert run(clean(CONSULTATION)).details["turns_rewritten"] == 2


def test_an_answer_without_json_is_the_rewrite_and_is_checked(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    scripted.script = lambda asked: f"“{json.loads(honest(asked))['reply']}”"
    assert run(clean(CONSULTATION)).details["turns_rewritten"] == 2
    assert next(iter(read_dialogues(tmp_path / "out"))).messages[1].content == FAITHFUL[CONSULTATION[1]]
    scripted.script = lambda asked: f"以下是改写后的专业回复：{json.loads(honest(asked))['reply']}"
    assert run(clean(CONSULTATION), "talkative").details["turns_kept"] == 2


def test_a_passing_trouble_changes_no_byte(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    source = clean(CONSULTATION, CONSULTATION[:2])
    scripted.script = honest
    run(source, "calm")
    seen: set[str] = set()

    def script(asked: dict[str, Any]) -> Any:
        key = original(asked)
        if key in seen:
            return honest(asked)
        seen.add(key)
        return (429, {"Retry-After": "0"}, b"")

    scripted.script = script
    run(source, "rough")
    for file in (DIALOGUES, REWRITES):
        assert (tmp_path / "calm" / file).read_bytes() == (tmp_path / "rough" / file).read_bytes()


def test_an_endpoint_that_always_fails_is_given_up_and_the_work_kept(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    source = clean(*[CONSULTATION] * 30)
    answered = iter(range(12))
    scripted.script = lambda asked: honest(asked) if next(answered, None) is not None else 503
    with pytest.raises(ZhongjingError, match="20 turns in a row"):
        run(source)
    assert not (tmp_path / "out").exists()
    before = len(scripted.asked)
    scripted.script = honest
    result = run(source)
    assert result.details["turns_rewritten"] == 60
    assert 60 - 12 <= len(scripted.asked) - before <= 60 - 12 + 4


def test_turns_the_endpoint_failed_at_are_said_and_asked_for_alone(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    source = clean(CONSULTATION)
    scripted.script = lambda asked: 400 if original(asked) == CONSULTATION[3] else honest(asked)
    details = run(source).details
    assert (details["turns_rewritten"], details["turns_kept"], details["turns_the_endpoint_failed_at"]) == (1, 1, 1)
    before = len(scripted.asked)
    scripted.script = honest
    details = run(source).details
    assert [original(asked) for asked in scripted.asked[before:]] == [CONSULTATION[3]]
    assert details["turns_rewritten"] == 2
    assert "turns_the_endpoint_failed_at" not in details
    assert not (tmp_path / ".out.turns").exists()


def test_who_answers_some_may_refuse_many(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult]
) -> None:
    answered = iter(range(5))
    scripted.script = lambda asked: honest(asked) if next(answered, None) is not None else 400
    details = run(clean(*[CONSULTATION] * 20)).details
    assert (details["turns_rewritten"], details["turns_the_endpoint_failed_at"]) == (5, 35)


def test_a_wrong_key_ends_at_once(
    scripted: Any, clean: Callable[..., Path], run: Callable[..., StageResult], tmp_path: Path
) -> None:
    scripted.script = lambda asked: 401
    with pytest.raises(ZhongjingError, match="status 401"):
        run(clean(*[CONSULTATION] * 30))
    assert len(scripted.asked) < 30
    assert not (tmp_path / "out").exists()


def test_what_was_not_deidentified_stays_in_the_house(
    scripted: Any, set_of: Callable[..., Path], graph: Path, tmp_path: Path
) -> None:
    endpoint = Endpoint(base_url=scripted.url, model="m")
    source = set_of(CONSULTATION)
    with pytest.raises(ZhongjingError, match="not de-identified"):
        rewrite(source, graph, tmp_path / "out", endpoint)
    assert not scripted.asked
    scripted.script = honest
    rewrite(source, graph, tmp_path / "out", endpoint, identified=True)
    assert scripted.asked


def test_a_recipe_rewrites_before_it_freezes(
    scripted: Any, graph: Path, jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    jsonl(
        {"messages": [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(CONSULTATION)]}
    )
    recipe = {
        "name": "care",
        "inputs": ["raw.jsonl"],
        "graph": str(graph),
        "out": "run",
        "options": {"rewrite": {"endpoint": {"base_url": scripted.url, "model": "m"}, "attempts": 2}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    scripted.script = honest
    built = build(tmp_path / "recipe.yaml", processes=1)
    (dialogue,) = read_dialogues(built.version)
    assert dialogue.messages[1].content == FAITHFUL[CONSULTATION[1]]
    assert dialogue.rewriting == Rewriting(rewritten=[1, 3])
    asked = len(scripted.asked)
    assert all(result.reused for result in build(tmp_path / "recipe.yaml", processes=1).results)
    assert len(scripted.asked) == asked
    recipe["graph"] = None
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    with pytest.raises(ZhongjingError, match="needs a graph"):
        build(tmp_path / "recipe.yaml", processes=1)


COMMAND = [sys.executable, "-m", "zhongjing", "corpus", "rewrite"]


def test_killed_and_run_again_it_ends_in_the_same_bytes(
    scripted: Any, clean: Callable[..., Path], graph: Path, run: Callable[..., StageResult], tmp_path: Path
) -> None:
    source = clean(*[CONSULTATION] * 20)
    scripted.script = honest
    run(source, "straight")
    enough, held, count = threading.Event(), threading.Event(), iter(range(15))

    def script(asked: dict[str, Any]) -> str:
        if next(count, None) is None:
            enough.set()
            held.wait(60)
        return honest(asked)

    scripted.script = script
    command = [*COMMAND, str(source), "--out", str(tmp_path / "killed"), "--graph", str(graph)]
    command += ["--base-url", scripted.url, "--model", "m", "--connections", "4", "--key-variable", "REWRITE_KEY"]
    environment = os.environ | {"REWRITE_KEY": "sk-very-secret"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        assert enough.wait(120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        held.set()
    journal = tmp_path / ".killed.turns"
    done = len(journal.read_bytes().splitlines()) - 1
    assert 0 < done <= 15
    journal.write_bytes(journal.read_bytes() + b'["d-1/1",[{"dial')
    scripted.script = honest
    before = len(scripted.asked)
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert len(scripted.asked) - before == 40 - done
    assert "40" in again.stdout
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    for file in sorted(path.name for path in straight.iterdir() if path.name != "manifest.json"):
        assert (straight / file).read_bytes() == (killed / file).read_bytes()
    left = b"".join(path.read_bytes() for path in killed.iterdir()) + again.stderr.encode() + again.stdout.encode()
    assert b"sk-very-secret" not in left
    assert not re.search("布洛芬|喝酒", again.stderr + again.stdout)


@given(st.text(max_size=30), st.text(max_size=30))
def test_changes_lead_from_one_text_to_the_other(one: str, other: str) -> None:
    told = changes(one, other)
    assert "".join(words for sign, words in told if sign != "+") == one
    assert "".join(words for sign, words in told if sign != "-") == other
    assert all(words for _, words in told)
