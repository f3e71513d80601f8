from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from foundation.errors import ZhongjingError
from training.evaluation.recipe import EvaluationRecipe
from training.recipes import (
    DPORecipe,
    GenerateRecipe,
    PPORecipe,
    PretrainRecipe,
    RewardRecipe,
    RLOORecipe,
    SFTRecipe,
    parameters,
    read_recipe,
)

SHIPPED = Path(__file__).parents[2] / "training" / "recipes" / "tiny"
KINDS = {
    "pretrain": PretrainRecipe,
    "sft": SFTRecipe,
    "generate": GenerateRecipe,
    "evaluate": EvaluationRecipe,
    "reward": RewardRecipe,
    "ppo": PPORecipe,
    "dpo": DPORecipe,
    "rloo": RLOORecipe,
}
STAGES = KINDS.keys() - {"generate", "evaluate"}
PPO = {"prompts": "p.jsonl", "output": "o", "model": {"path": "m"}, "reward_model": "r"}


def write(folder: Path, content: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
    return path


@pytest.mark.parametrize(
    "path", sorted(SHIPPED.parent.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_shipped_recipes_are_valid(path: Path) -> None:
    if path.parent.name != "accelerate":
        read_recipe(path, KINDS[path.stem])
        return
    from accelerate.commands.config.config_args import load_config_from_file

    load_config_from_file(str(path))


@pytest.mark.parametrize("family", ["tiny", "ziya-llama-13b", "qwen2.5-7b", "llama-3.1-8b"])
def test_every_family_has_a_recipe_for_every_stage(family: str) -> None:
    assert {path.stem for path in (SHIPPED.parent / family).glob("*.yaml")} >= STAGES


def test_recipes_are_part_of_the_installed_package() -> None:
    shipped = importlib.resources.files("training.recipes") / "ziya-llama-13b"
    assert {f"{stage}.yaml" for stage in STAGES} | {"ziya.jinja"} == {file.name for file in shipped.iterdir()}


@pytest.mark.parametrize("stage", ["reward", "pretrain", "sft", "dpo", "rloo"])
def test_the_tiny_recipe_shows_every_option(stage: str) -> None:
    shown = yaml.safe_load((SHIPPED / f"{stage}.yaml").read_text("utf-8"))
    left_out = {"preferences"} if stage == "reward" else set()
    assert shown.keys() | left_out == set(KINDS[stage].__struct_fields__)


def test_the_template_for_ziya_renders_a_dialogue() -> None:
    from jinja2 import Template

    template = Template((SHIPPED.parent / "ziya-llama-13b" / "ziya.jinja").read_text("utf-8"))
    turns = [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "多久了？"}]
    assert template.render(messages=turns, eos_token="</s>") == "<human>:头痛\n<bot>:多久了？</s>\n"
    assert template.render(messages=turns[:1], eos_token="</s>", add_generation_prompt=True).endswith("<bot>:")


def test_a_shipped_recipe_shows_every_option_of_ppo_with_its_help() -> None:
    path = SHIPPED.with_name("qwen2.5-7b") / "ppo.yaml"
    read_recipe(path, PPORecipe)
    lines = path.read_text("utf-8").splitlines()
    for name, hint in get_type_hints(PPORecipe, include_extras=True).items():
        place = next(place for place, line in enumerate(lines) if line.startswith(f"{name}:"))
        help_lines = (lines[place - 1].removesuffix(" *"), f"# {hint.__metadata__[-1].description}")
        assert help_lines[0] == help_lines[1], name


def test_paths_start_at_the_recipe(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, PPO | {"reward_model": "/abs/r"}), PPORecipe)
    assert recipe.prompts == tmp_path / "p.jsonl"
    assert recipe.model.path == tmp_path / "m"
    assert recipe.reward_model == Path("/abs/r")


def test_an_unknown_key_is_named_with_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, PPO | {"learning_rte": 1.0})
    with pytest.raises(ZhongjingError, match=r"learning_rte") as caught:
        read_recipe(path, PPORecipe)
    assert str(path) in str(caught.value)
    assert "learning_rate" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "a: [",
        "\x00",
        "prompts: a\nprompts: b",
        yaml.safe_dump(PPO | {"clip": -1}),
        yaml.safe_dump(PPO | {"clip": "0.2"}),
        yaml.safe_dump(PPO | {"model": {}}),
        yaml.safe_dump(PPO) + "learning_rate: .nan",
        yaml.safe_dump(PPO) + "learning_rate: .inf",
        yaml.safe_dump(PPO) + "learning_rate: 1e999",
        yaml.safe_dump(PPO) + "epochs: 0",
        yaml.safe_dump(PPO | {"prompts": 7}),
        "!!python/object/apply:os.system [echo]",
        "[" * 5000,
        "? [a, b]\n: c\n",
        yaml.safe_dump(PPO) + "seed: 1\nseed: 2\n",
        yaml.safe_dump(PPO | {"output": None}) + 'output: "\\ud800"\n',
    ],
)
def test_a_bad_recipe_is_one_clear_error(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ZhongjingError) as caught:
        read_recipe(path, PPORecipe)
    assert str(path) in str(caught.value)


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, yaml.safe_dump(PPO) + "learning_rate: 1e-5\nadam_epsilon: 2.5E-6"), PPORecipe)
    assert (recipe.learning_rate, recipe.adam_epsilon) == (1e-5, 2.5e-6)


def test_a_missing_recipe_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ZhongjingError):
            read_recipe(path, PPORecipe)


def test_greedy_twice_and_equal_names_are_refused(tmp_path: Path) -> None:
    answerer = {"name": "a", "path": "m"}
    common = {"prompts": "p", "output": "o"}
    for models in (
        [answerer | {"temperature": 0, "answers": 2}],
        [answerer, answerer],
        [],
        [answerer | {"name": "reference-doctor"}],
        [answerer | {"name": name, "tiny": {"corpus": "v", "seed": seed}} for seed, name in enumerate("ab")],
    ):
        with pytest.raises(ZhongjingError):
            read_recipe(write(tmp_path, common | {"models": models}), GenerateRecipe)


def test_parameters_hold_no_path(tmp_path: Path) -> None:
    recipe = read_recipe(SHIPPED / "generate.yaml", GenerateRecipe)
    assert str(SHIPPED) not in str(parameters(recipe))
    assert parameters(recipe)["models"][0]["temperature"] == 0.6
