"""A small world of its own for every test of this room: dialogues, prompts, rankings and a tiny model."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import to_builtins

from corpus.records import Consensus, Dialogue, Message, Meta, Preference, Prompt, RankedPrompt, Response, make_id
from corpus.sets import Plan, SetWriter, run_step
from foundation.jsonl import write_records
from training.recipes import Lora, Model, PPORecipe, RewardRecipe
from training.reward import train_reward
from training.tiny import build_tiny

# These models are too small for two threads to agree on anything in time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SYMPTOMS = ["头痛", "咳嗽", "发烧", "胃痛", "失眠", "皮疹", "腹泻", "乏力", "鼻塞", "心慌"]
TIMES = ["一天", "两天", "三天", "一周", "半个月", "一个月"]
GOOD, BAD = "请先休息，多喝水。", "不知道"


def dialogue(number: int) -> list[Message]:
    dice = random.Random(number)
    symptom, time = dice.choice(SYMPTOMS), dice.choice(TIMES)
    return [
        Message("user", f"医生您好，我{symptom}{time}了，第{number}次来问，怎么办？"),
        Message("assistant", f"您好，{symptom}多久了？" + dice.choice([GOOD, BAD])),
        Message("user", f"已经{time}了，要吃药吗？"),
        Message("assistant", dice.choice([GOOD, BAD, "请到医院检查。"])),
    ]


def ranked(number: int, answers: list[str], tiers: list[list[int]], split: str) -> RankedPrompt:
    names = [make_id("o", number, place) for place in range(len(answers))]
    order = [[names[place] for place in tier] for tier in tiers]
    margins = {
        f"{better}>{worse}": 0.5
        for high, tier in enumerate(order)
        for better in tier
        for low in order[high + 1 :]
        for worse in low
    }
    return RankedPrompt(
        prompt_id=f"p-{number}",
        prompt=dialogue(number)[:3],
        responses=[Response(output_id=name, text=text, model="m") for name, text in zip(names, answers, strict=True)],
        judgements=[],
        consensus=Consensus(tiers=order, method="borda", margins=margins),
        adjudicated=False,
        split=split,
        dialogue_id=f"d-{number}",
        dataset_version="x-v1",
    )


def separable(number: int, split: str) -> RankedPrompt:
    """Four answers: the more advice the better; the last two tied in every third prompt."""
    advice = ["多喝水", "请先休息", "按时吃药"]
    random.Random(number).shuffle(advice)
    answers = ["，".join(advice[:count]) or BAD for count in (3, 2, 1, 0)]
    return ranked(number, answers, [[0], [1], [2, 3]] if number % 3 == 0 else [[0], [1], [2], [3]], split)


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "x-v1"

    def write(writer: SetWriter) -> None:
        for number in range(120):
            meta = Meta(file="made up", line=number + 1, format="none")
            writer.keep(Dialogue(id=f"d-{number}", messages=dialogue(number), source="made up", meta=meta))

    run_step(Plan(stage="test", inputs=[], parameters={}), folder, write)
    return folder


@pytest.fixture(scope="session")
def tiny(version: Path) -> Path:
    out = version.parent / "tiny"
    build_tiny(version, out, steps=60, vocabulary=500, hidden=64, layers=2, seed=0)
    return out


@pytest.fixture(scope="session")
def prompts_file(version: Path) -> Path:
    path = version.parent / "prompts.jsonl"
    write_records(
        path,
        (
            Prompt(
                prompt_id=f"p-{number}",
                messages=dialogue(number)[:3],
                dialogue_id=f"d-{number}",
                dataset_version="x-v1",
                reference=dialogue(number)[3].content if number % 5 else None,
            )
            for number in range(20)
        ),
    )
    return path


@pytest.fixture(scope="session")
def rankings_file(version: Path) -> Path:
    path = version.parent / "rankings.jsonl"
    write_records(path, (separable(number, "test" if number % 4 == 0 else "train") for number in range(64)))
    return path


def preferred(ranking: RankedPrompt) -> Iterator[Preference]:
    texts = {response.output_id: response.text for response in ranking.responses}
    for names, margin in ranking.consensus.margins.items():
        better, worse = names.split(">")
        yield Preference(
            prompt=ranking.prompt,
            chosen=[Message("assistant", texts[better])],
            rejected=[Message("assistant", texts[worse])],
            margin=margin,
            weight=1.0,
            prompt_id=ranking.prompt_id,
            pair_id=make_id("pair", names),
            split=ranking.split,
        )


@pytest.fixture(scope="session")
def preferences_file(version: Path) -> Path:
    path = version.parent / "preferences.jsonl"
    rankings = (separable(number, "test" if number % 4 == 0 else "train") for number in range(48))
    write_records(path, (pair for ranking in rankings for pair in preferred(ranking)))
    return path


@pytest.fixture(scope="session")
def mix_file(version: Path) -> Path:
    """Rows of two kinds in turn, a damaged one, and one that no limit of these tests takes."""
    path = version.parent / "mix.jsonl"
    rows = [
        {"messages": to_builtins(dialogue(number)[: 4 - 2 * (number % 2)]), "kind": ["multi", "single"][number % 2]}
        for number in range(200, 248)
    ]
    said = [{"role": "user", "content": "您好"}, {"role": "assistant", "content": "多喝水。" * 200}]
    lines = [json.dumps(row, ensure_ascii=False) for row in [*rows, {"messages": said, "kind": "long"}]]
    path.write_text("\n".join([*lines[:5], '{"messages": [', *lines[5:]]) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def texts_file(version: Path) -> Path:
    path = version.parent / "pretrain.jsonl"
    texts = ("".join(turn.content for turn in dialogue(number)) * (1 + number % 6) for number in range(300, 340))
    path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts), "utf-8")
    return path


@pytest.fixture(scope="session")
def reward_folder(rankings_file: Path, tiny: Path) -> Path:
    folder = tiny.parent / "judge"
    model, lora = Model(path=tiny), Lora(rank=8, alpha=16)
    train_reward(
        RewardRecipe(rankings=rankings_file, output=folder, model=model, lora=lora, epochs=6, learning_rate=3e-3)
    )
    return folder


@pytest.fixture
def ppo_recipe(prompts_file: Path, tiny: Path, reward_folder: Path, tmp_path: Path) -> PPORecipe:
    return PPORecipe(
        prompts=prompts_file,
        output=tmp_path / "policy",
        model=Model(path=tiny),
        reward_model=reward_folder,
        lora=Lora(rank=8, alpha=16.0),
        iterations=10,
        episodes=16,
        minibatch=8,
        epochs=4,
        learning_rate=5e-3,
        max_new_tokens=12,
        missing_end_score=None,
        log_to=(),
    )


@pytest.fixture
def make_ranked() -> Callable[..., RankedPrompt]:
    return ranked


@pytest.fixture
def make_separable() -> Callable[..., RankedPrompt]:
    return separable
