from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import foundation.cli
import training.cli

STAGES = ["pretrain", "sft", "generate", "reward", "ppo", "dpo", "rloo"]
app = foundation.cli.group("test")
training.cli.add_commands(app)


@pytest.mark.parametrize("stage", STAGES)
def test_help_ends_with_an_example(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert foundation.cli.run(app, ["train", stage, "--help"]) == 0
    assert f"Example: zhongjing train {stage}" in capsys.readouterr().out


@pytest.mark.parametrize("stage", STAGES)
def test_a_missing_recipe_is_exit_status_two(stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert foundation.cli.run(app, ["train", stage, str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_the_road_by_commands(
    version: Path, prompts_file: Path, rankings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"tiny": {"corpus": str(version), "steps": 20, "vocabulary": 450, "hidden": 32, "layers": 1}}
    common = {"model": model, "lora": {"rank": 4}}
    prompts = {"prompts": str(prompts_file)}
    recipes = {
        "generate": prompts | {"output": "outputs.jsonl", "models": [model | {"name": "m", "max_new_tokens": 4}]},
        "reward": common | {"rankings": str(rankings_file), "output": "rm"},
        "ppo": prompts
        | common
        | {"reward_model": "rm", "output": "policy", "iterations": 1, "episodes": 4, "max_new_tokens": 4, "samples": 1},
    }
    for stage, recipe in recipes.items():
        path = tmp_path / f"{stage}.yaml"
        path.write_text(yaml.safe_dump(recipe), "utf-8")
        assert foundation.cli.run(app, ["train", stage, str(path)]) == 0
    told = capsys.readouterr()
    assert "held-out pairs right" in told.out and "KL to the reference" in told.out
    assert told.err.count("building a tiny stand-in") == 1
    assert told.err.count("the tiny stand-in that is there") == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix not in (".yaml", ".logs")) == [
        "outputs.jsonl",
        "policy",
        "rm",
        "tiny_model",
    ]


@pytest.mark.parametrize("library", ["torch", "peft", "transformers"])
def test_a_missing_library_names_the_extra(library: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("{rankings: a, output: b, model: {path: c}}")
    program = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "import foundation.cli, training.cli\n"
        "app = foundation.cli.group('test'); training.cli.add_commands(app)\n"
        f"sys.exit(foundation.cli.run(app, ['train', 'reward', {str(tmp_path / 'r.yaml')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'zhongjing[train]'" in done.stderr


def test_the_commands_load_no_heavy_library() -> None:
    program = "import sys, training.cli; print({'torch', 'transformers', 'msgspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
