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
from training.ppo import train_ppo
from training.recipes import Lora, Model, PPORecipe, PretrainRecipe, SFTRecipe
from training.tiny import build_tiny
from training.tuning.language import train_language


@pytest.fixture(scope="session")
def checkpoints(
    version: Path, texts_file: Path, mix_file: Path, prompts_file: Path, reward_folder: Path
) -> dict[str, Path]:
    """A tiny model trained through all stages, and checkpoints that lack one: pre-training, a kind of SFT, RLHF."""
    folder = version.parent / "checkpoints"
    build_tiny(version, folder / "base", steps=1, vocabulary=500, hidden=64, layers=2, seed=0)
    common: dict[str, Any] = {"lora": None, "batch": 4, "rows_per_pass": 4, "max_tokens": 128, "log_to": ()}

    def pretrain(start: str, name: str) -> None:
        recipe = PretrainRecipe(
            texts=[texts_file], output=folder / name, model=Model(path=folder / start), learning_rate=3e-3, **common
        )
        train_language(recipe)

    def fine_tune(start: str, name: str, **options: Any) -> None:
        recipe = SFTRecipe(
            mix=[mix_file],
            output=folder / name,
            model=Model(path=folder / start),
            epochs=6,
            learning_rate=3e-3,
            **common,
            **options,
        )
        train_language(recipe)

    def reinforce(start: str, name: str) -> None:
        recipe = PPORecipe(
            prompts=prompts_file,
            output=folder / name,
            model=Model(path=folder / start),
            reward_model=reward_folder,
            lora=Lora(rank=4, alpha=8.0),
            iterations=2,
            episodes=8,
            minibatch=8,
            samples=1,
            max_new_tokens=8,
            log_to=(),
        )
        train_ppo(recipe)

    pretrain("base", "pretrained")
    fine_tune("pretrained", "no-rlhf")
    fine_tune("base", "no-pretraining-sft")
    fine_tune("pretrained", "no-multi-turn-sft", without=("multi",))
    reinforce("no-rlhf", "full")
    reinforce("no-pretraining-sft", "no-pretraining")
    reinforce("no-multi-turn-sft", "no-multi")
    return {name: folder / name for name in ("full", "no-pretraining", "no-multi", "no-rlhf")}


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


def test_prompts_that_were_cut_are_counted(tiny: Path, test_file: Path, tmp_path: Path) -> None:
    short = options.EvaluationRecipe(
        output=tmp_path / "out",
        models=[options.Contestant(name="m", path=tiny, max_new_tokens=4)],
        tests=[options.TestSet(name="cm", path=test_file, count=3)],
        max_prompt_tokens=24,
    )
    [model, _] = evaluate(short).measures
    assert model.faults["prompt_cut"] == 3  # the second turns; the first ones fit


def test_an_ablation_is_one_table_and_one_plot(
    scripted: Any,
    endpoint: Callable[..., Endpoint],
    tools: Any,
    checkpoints: dict[str, Path],
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
    lacks = {"full": None, "no-pretraining": "pre-training", "no-multi": "SFT: multi-turn", "no-rlhf": "RLHF"}
    recipe = options.EvaluationRecipe(
        output=tmp_path / "ablation",
        models=[
            options.Contestant(name=name, path=path, without=lacks[name], temperature=0.7, max_new_tokens=24)
            for name, path in checkpoints.items()
        ],
        baselines=("full",),
        tests=[options.TestSet(name="cm", path=test_file)],
        judges=(
            options.LlmJudge(name="reader", endpoint=endpoint("reader")),
            options.RewardJudge(path=reward_folder),
        ),
    )
    results = evaluate(recipe)
    assert [row.without for row in results.ablation] == ["pre-training", "SFT: multi-turn", "RLHF"]
    for row in results.ablation:
        overall = {cell.judge: cell for cell in row.cells if cell.axis == "overall"}
        assert overall.keys() == {"reader", "reward"}
        assert all(cell.win + cell.tie + cell.loss == 100 for cell in row.cells)
    without_pretraining = results.ablation[0].cells[0]
    assert without_pretraining.win_rate_interval[1] < 50  # it writes worse Chinese

    page = chromium.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto((tmp_path / "ablation/report.html").as_uri())
    section = page.locator("section", has=page.locator("h2", has_text="消融"))
    assert section.locator("tbody tr").count() == 6
    assert section.locator(".plotly .scatterlayer").count() == 1
    for width in (390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not faults
    page.close()
