"""Real models: a tiny one in its folder and behind a server over HTTP, a reward model, and a whole ablation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser

from foundation.endpoint import Endpoint
from training.evaluation import recipe as options
from training.evaluation.run import evaluate
from training.models import load_causal, render
from training.tiny import build_tiny


@pytest.fixture(scope="session")
def untrained(version: Path) -> Path:
    """The same model with a fifth of its training."""
    out = version.parent / "untrained"
    build_tiny(version, out, steps=12, vocabulary=500, hidden=64, layers=2, seed=0)
    return out


@pytest.fixture
def served(scripted: Any, tiny: Path, tools: Any) -> Any:
    """A service whose model `tiny` is the real one, greedy; its other models are fair judges."""
    model, tokenizer = load_causal(tiny)
    lock = threading.Lock()

    def complete(asked: dict[str, Any]) -> dict[str, Any]:
        from corpus.records import Message

        tokens = render(tokenizer, [Message(turn["role"], turn["content"]) for turn in asked["messages"]])
        new: list[int] = []
        with lock, torch.no_grad():
            while len(new) < asked["max_tokens"] and tokenizer.eos_token_id not in new:
                new.append(int(model(torch.tensor([tokens + new])).logits[0, -1].argmax()))
        ended = tokenizer.eos_token_id in new
        text = tokenizer.decode(new, skip_special_tokens=True)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop" if ended else "length", "message": message}
        return {"choices": [choice], "usage": {"prompt_tokens": len(tokens), "completion_tokens": len(new)}}

    scripted.script = lambda asked: complete(asked) if asked["model"] == "tiny" else tools["fair"](asked)
    return scripted


def test_a_model_answers_the_same_in_its_folder_and_behind_a_server(
    served: Any, endpoint: Callable[..., Endpoint], tiny: Path, test_file: Path, tmp_path: Path
) -> None:
    results = evaluate(
        options.EvaluationRecipe(
            output=tmp_path / "out",
            models=[
                options.Contestant(name="folder", path=tiny, max_new_tokens=16),
                options.Contestant(name="server", endpoint=endpoint("tiny"), max_new_tokens=16),
            ],
            tests=[options.TestSet(name="cm", path=test_file, count=4)],
            judges=(options.LlmJudge(name="fair", endpoint=endpoint("judge")),),
            batch_size=3,
        )
    )
    folder, server, doctor = results.measures
    assert folder.answers == server.answers == 8 == doctor.answers
    assert (folder.characters, folder.bleu, folder.faults) == (server.characters, server.bleu, server.faults)
    assert folder.references == 8 and doctor.references == 8
    [overall] = [one for one in results.cells if one.axis == "overall"]
    assert (overall.win, overall.tie, overall.loss) == (0, 100, 0)  # the same words tie without asking anybody
    assert {asked["model"] for asked in served.asked} == {"tiny"}


def test_drawn_answers_do_not_depend_on_the_batch(tiny: Path, test_file: Path, tmp_path: Path) -> None:
    def answers(name: str, batch: int) -> bytes:
        drawn = options.Contestant(name="m", path=tiny, temperature=1.0, top_p=0.9, max_new_tokens=12)
        tests = [options.TestSet(name="cm", path=test_file, count=5)]
        evaluate(options.EvaluationRecipe(output=tmp_path / name, models=[drawn], tests=tests, batch_size=batch))
        return (tmp_path / name / "answers.jsonl").read_bytes()

    assert answers("one", 1) == answers("many", 7)


def test_an_ablation_is_one_table_and_one_plot(
    scripted: Any,
    endpoint: Callable[..., Endpoint],
    tools: Any,
    tiny: Path,
    untrained: Path,
    reward_folder: Path,
    test_file: Path,
    tmp_path: Path,
    chromium: Browser,
) -> None:
    def garbled(text: str) -> float:
        return sum(not ("\u4e00" <= character <= "\u9fff" or character in "，。？") for character in text) / len(text)

    def reader(asked: dict[str, Any]) -> str:
        first, second = tools["shown"](asked)
        return str(tools["verdict"](garbled(second) - garbled(first)))

    scripted.script = reader
    models = [
        options.Contestant(name="full", path=tiny, temperature=0.7, max_new_tokens=24),
        options.Contestant(name="base", path=untrained, temperature=0.7, without="SFT", max_new_tokens=24),
        options.Contestant(name="hot", path=tiny, temperature=3.0, without="cool decoding", max_new_tokens=24),
    ]
    results = evaluate(
        options.EvaluationRecipe(
            output=tmp_path / "ablation",
            models=models,
            baselines=("full",),
            tests=[options.TestSet(name="cm", path=test_file)],
            judges=(
                options.LlmJudge(name="reader", endpoint=endpoint("reader")),
                options.RewardJudge(path=reward_folder),
            ),
        )
    )
    assert [(row.without, row.baseline) for row in results.ablation] == [("SFT", "full"), ("cool decoding", "full")]
    for row in results.ablation:
        overall = {cell.judge: cell for cell in row.cells if cell.axis == "overall"}
        assert overall.keys() == {"reader", "reward"}
        assert overall["reader"].win_rate_interval[1] < 50  # what it never learnt, it does worse
        assert overall["reward"].win + overall["reward"].tie + overall["reward"].loss == 100
    strengths = {one.model: one.strength for one in results.strengths if (one.judge, one.axis) == ("reader", "overall")}
    assert max(strengths, key=lambda name: strengths[name]) == "full"

    page = chromium.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto((tmp_path / "ablation/report.html").as_uri())
    section = page.locator("section", has=page.locator("h2", has_text="消融"))
    assert section.locator("tbody tr").count() == 4
    assert section.locator(".plotly .scatterlayer").count() == 1
    for width in (390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not faults
    page.close()
