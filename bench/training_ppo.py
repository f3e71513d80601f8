"""PPO beside TRL 1.12, the last but one release with a PPOTrainer: time per episode, reward reached, peak memory.

python bench/training_ppo.py [SEEDS]        (one seed: some minutes on two cores; `make bench-training` runs it)

Both train the same model on the same prompts against the same reward model: same adapters, batches, epochs, lengths,
temperature, learning rate and KL weight. TRL lives in an environment of its own in a cache folder, which sees the torch
of this one. Each run is a process; time is that of the training loop alone, memory the most the process ever held.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from corpus.records import Consensus, Dialogue, Message, Meta, Prompt, RankedPrompt, Response
from corpus.sets import Plan, SetWriter, run_step
from foundation.jsonl import write_records

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("ZHONGJING_BENCH_CACHE", Path.home() / ".cache" / "zhongjing-bench"))
TRL = "trl==1.12.0"
COMMON = {"temperature": 0.7, "kl_coefficient": 0.05, "rank": 16, "seed": 0}
LEARNING = COMMON | {
    "hidden": 128,
    "layers": 3,
    "pretraining": 240,
    "iterations": 15,
    "episodes": 32,
    "minibatch": 8,
    "epochs": 4,
    "tokens": 32,
    "learning_rate": 1e-3,
}
MEDIUM = COMMON | {
    "hidden": 512,
    "layers": 8,
    "pretraining": 0,
    "iterations": 1,
    "episodes": 8,
    "minibatch": 8,
    "epochs": 4,
    "tokens": 32,
    "learning_rate": 1e-4,
}
MEMORY = MEDIUM | {"hidden": 1024, "episodes": 2, "minibatch": 2, "epochs": 1, "tokens": 8}
SYMPTOMS = ["头痛", "咳嗽", "发烧", "胃痛", "失眠", "皮疹", "腹泻", "乏力", "鼻塞", "心慌"]
ADVICE = ["请先休息", "多喝水", "按时吃药", "注意保暖", "清淡饮食", "必要时到医院检查"]


def main() -> None:
    seeds = tuple(range(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
    python = trl_environment()
    with tempfile.TemporaryDirectory() as folder:
        compare("learning", python, Path(folder) / "learning", LEARNING, seeds)
        compare("25 M weights", python, Path(folder) / "medium", MEDIUM, (0,))
        compare("memory", python, Path(folder) / "memory", MEMORY, (0,))


def compare(title: str, python: Path, folder: Path, setting: dict[str, Any], seeds: tuple[int, ...]) -> None:
    """Run every contender on one world and print a table."""
    build(folder, setting)
    weights = sum(file.stat().st_size for file in (folder / "base").glob("*.safetensors")) / 2**20
    print(f"\n{title}: base of {weights:,.0f} MB, {setting['episodes']} episodes an iteration, {setting}\n")
    print(f"{'':36} {'CPU s/episode':>14} {'wall':>7} {'peak MB':>8} {'above idle':>11}  reward (KL) by seed")
    ours = [str(HERE / "ppo_run.py"), "ours"]
    contenders = {
        "ours, adapters": [sys.executable, *ours, "adapters"],
        "ours, adapters, one trunk": [sys.executable, *ours, "trunk"],
        "TRL 1.12, adapters": [str(python), str(HERE / "ppo_run.py"), "trl", "adapters"],
        "ours, all weights": [sys.executable, *ours, "all"],
        "TRL 1.12, all weights": [str(python), str(HERE / "ppo_run.py"), "trl", "all"],
    }
    for name, command in contenders.items():
        runs = [run(command, folder, setting | {"seed": seed}) for seed in seeds]
        middle = sorted(runs, key=lambda found: found["cpu"])[len(runs) // 2]
        reached = "  ".join(f"{found['before']:+.2f} -> {found['after']:+.2f} ({found['kl']:.1f})" for found in runs)
        print(
            f"{name:36} {middle['cpu']:>14.3f} {middle['wall']:>7.3f} {middle['peak']:>8,.0f} "
            f"{middle['peak'] - middle['idle']:>11,.0f}  {reached}",
            flush=True,
        )


def run(command: list[str], folder: Path, setting: dict[str, Any]) -> dict[str, float]:
    """One contender in a process of its own; the last line it prints is what it measured."""
    environment = os.environ | {
        "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    done = subprocess.run(
        [*command, str(folder), json.dumps(setting)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def build(folder: Path, setting: dict[str, Any]) -> None:
    """Dialogues, prompts, rankings that prefer more advice, a base model and a reward model of it."""
    from training.recipes import Lora, Model, RewardRecipe
    from training.reward import train_reward
    from training.tiny import build_tiny

    folder.mkdir()

    def write(writer: SetWriter) -> None:
        for number in range(400):
            meta = Meta(file="made up", line=number + 1, format="none")
            writer.keep(Dialogue(id=f"d-{number}", messages=dialogue(number), source="made up", meta=meta))

    run_step(Plan(stage="bench", inputs=[], parameters={}), folder / "x-v1", write)
    size = {name: setting[name] for name in ("hidden", "layers")}
    build_tiny(folder / "x-v1", folder / "base", steps=setting["pretraining"], vocabulary=2400, **size)
    write_records(folder / "prompts.jsonl", map(prompt, range(80)))
    write_records(folder / "rankings.jsonl", map(ranked, range(240 if setting["pretraining"] else 8)))
    train_reward(
        RewardRecipe(
            rankings=folder / "rankings.jsonl",
            output=folder / "judge",
            model=Model(path=folder / "base"),
            lora=Lora(rank=COMMON["rank"], alpha=2.0 * COMMON["rank"]),
            epochs=4 if setting["pretraining"] else 1,
            prompts_per_batch=8,
            learning_rate=3e-3 if setting["pretraining"] else 1e-4,
            log_to=(),
        )
    )


def dialogue(number: int) -> list[Message]:
    dice = random.Random(number)
    symptom, days = dice.choice(SYMPTOMS), dice.randint(1, 30)
    told = "，".join(dice.sample(SYMPTOMS, dice.randint(2, 6)))
    replies = ["，".join(dice.sample(ADVICE, dice.randint(0, 3))) or "不知道" for _ in range(2)]
    return [
        Message("user", f"医生您好，我{symptom}{days}天了，以前有过{told}，第{number}次来问，怎么办？"),
        Message("assistant", f"您好，{symptom}什么时候最重？{replies[0]}。"),
        Message("user", f"早上最重，已经{days}天了，要吃药吗？"),
        Message("assistant", f"{replies[1]}。"),
    ]


def prompt(number: int) -> Prompt:
    return Prompt(
        prompt_id=f"p-{number}",
        messages=dialogue(number)[:3],
        dialogue_id=f"d-{number}",
        dataset_version="x-v1",
        reference=None,
    )


def ranked(number: int) -> RankedPrompt:
    dice = random.Random(1000 + number)
    answers = ["，".join(dice.sample(ADVICE, count)) or "不知道" for count in (4, 2, 1, 0)]
    names = [f"o-{number}-{place}" for place in range(4)]
    margins = {f"{names[high]}>{names[low]}": 1.0 for high in range(4) for low in range(high + 1, 4)}
    return RankedPrompt(
        prompt_id=f"r-{number}",
        prompt=dialogue(1000 + number)[:3],
        responses=[
            Response(output_id=name, text=f"{text}。", model="m") for name, text in zip(names, answers, strict=True)
        ],
        judgements=[],
        consensus=Consensus(tiers=[[name] for name in names], method="borda", margins=margins),
        adjudicated=False,
        split="test" if number % 4 == 0 else "train",
        dialogue_id=f"r-{number}",
        dataset_version="x-v1",
    )


def trl_environment() -> Path:
    """The interpreter of an environment that holds TRL 1.12 and, behind it, everything of this one."""
    folder = CACHE / TRL.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        print(f"making an environment for {TRL} in {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        site = next((folder / "lib").glob("python*")) / "site-packages"
        (site / "behind.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", TRL], check=True)
        (folder / ".ready").touch()
    return python


if __name__ == "__main__":
    main()
