"""Commands of this room: `zhongjing train …`, each run described by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.cli import group, say, warn

if TYPE_CHECKING:
    from training.policy import PPOResult
    from training.reward import RewardResult
    from training.tuning.dpo import DPOResult
    from training.tuning.language import LanguageResult
    from training.tuning.rloo import RLOOResult

    Result = LanguageResult | RewardResult | PPOResult | DPOResult | RLOOResult

RecipeFile = Annotated[Path, typer.Argument(help="YAML recipe; its relative paths start at its own folder")]
Afresh = Annotated[bool, typer.Option("--afresh", help="Forget an interrupted run and start anew")]


def add_commands(app: typer.Typer) -> None:
    """Mount this room's commands."""
    train = group("Generate answers, train a reward model and a policy, from exported files.")
    train.command("pretrain")(pretrain)
    train.command("sft")(sft)
    train.command("generate")(generate)
    train.command("reward")(reward)
    train.command("ppo")(ppo)
    train.command("dpo")(dpo)
    train.command("rloo")(rloo)
    train.command("compare")(compare)
    app.add_typer(train, name="train")


def pretrain(recipe: RecipeFile, afresh: Afresh = False) -> None:
    """Go on with pre-training on plain medical text, several texts packed into one row.

    An interrupted run goes on from its checkpoint. Documented recipe: training/recipes/tiny/pretrain.yaml

    Example: zhongjing train pretrain pretrain.yaml
    """
    from training.recipes import PretrainRecipe, read_recipe

    options = read_recipe(recipe, PretrainRecipe)
    from training.tuning.language import train_language

    _tell(train_language(options, afresh=afresh))


def sft(recipe: RecipeFile, afresh: Afresh = False) -> None:
    """Fine-tune a model on a mix of conversations, of which the doctor's turns alone are learned.

    An interrupted run goes on from its checkpoint. Documented recipe: training/recipes/tiny/sft.yaml

    Example: zhongjing train sft sft.yaml
    """
    from training.recipes import SFTRecipe, read_recipe

    options = read_recipe(recipe, SFTRecipe)
    from training.tuning.language import train_language

    _tell(train_language(options, afresh=afresh))


def generate(recipe: RecipeFile) -> None:
    """Draw several answers to each prompt, from one or several models.

    An interrupted run goes on where it stopped. Documented recipe: training/recipes/tiny/generate.yaml

    Example: zhongjing train generate generate.yaml
    """
    from training.recipes import GenerateRecipe, read_recipe

    options = read_recipe(recipe, GenerateRecipe)
    from training.generate import generate as run

    result = run(options)
    say(f"{result.outputs} answers to {result.prompts} prompts written to {result.output}")
    say(
        f"{result.reused} reused, {result.redrawn} redrawn, {result.near_identical} still near-identical, "
        f"{result.empty} empty and left out, {result.truncated} prompts cut, "
        f"{result.without_reference} without a doctor's reply"
    )
    if result.failed:
        told = ", ".join(f"{count} {fault}" for fault, count in sorted(result.failed.items()))
        warn(f"no answer from an endpoint: {told}; they are among the empty ones")


def reward(recipe: RecipeFile, afresh: Afresh = False) -> None:
    """Train a reward model from the experts' rankings, all pairs of a prompt at once.

    An interrupted run goes on from its checkpoint. Documented recipe: training/recipes/tiny/reward.yaml

    Example: zhongjing train reward reward.yaml
    """
    from training.recipes import RewardRecipe, read_recipe

    options = read_recipe(recipe, RewardRecipe)
    from training.reward import train_reward

    _tell(train_reward(options, afresh=afresh))


def ppo(recipe: RecipeFile, afresh: Afresh = False) -> None:
    """Train a policy against a reward model with PPO, and compare it with where it started.

    An interrupted run goes on from its checkpoint. Documented recipe: training/recipes/tiny/ppo.yaml

    Example: zhongjing train ppo ppo.yaml
    """
    from training.recipes import PPORecipe, read_recipe

    options = read_recipe(recipe, PPORecipe)
    from training.ppo import train_ppo

    _tell(train_ppo(options, afresh=afresh))


def dpo(recipe: RecipeFile, afresh: Afresh = False) -> None:
    """Train a policy on the pairs of a release by direct preference optimisation, to compare with PPO.

    An interrupted run goes on from its checkpoint. Documented recipe: training/recipes/tiny/dpo.yaml

    Example: zhongjing train dpo dpo.yaml
    """
    from training.recipes import DPORecipe, read_recipe

    options = read_recipe(recipe, DPORecipe)
    from training.tuning.dpo import train_dpo

    _tell(train_dpo(options, afresh=afresh))


def rloo(recipe: RecipeFile, afresh: Afresh = False) -> None:
    """Train a policy against a reward model by REINFORCE with a leave-one-out baseline, to compare with PPO.

    An interrupted run goes on from its checkpoint. Documented recipe: training/recipes/tiny/rloo.yaml

    Example: zhongjing train rloo rloo.yaml
    """
    from training.recipes import RLOORecipe, read_recipe

    options = read_recipe(recipe, RLOORecipe)
    from training.tuning.rloo import train_rloo

    _tell(train_rloo(options, afresh=afresh))


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of two or more runs of one kind")],
    out: Annotated[Path | None, typer.Option(help="Write a page with their curves as well, say compare.html")] = None,
) -> None:
    """Lay training runs side by side: what they measured, and in which options and data they differ.

    Example: zhongjing train compare reward_model_a reward_model_b --out compare.html
    """
    from training.comparing import compare_runs, lines_of

    for line in lines_of(compare_runs(runs, out)):
        say(line)
    if out is not None:
        say(f"page written to {out}")


def _tell(result: Result) -> None:
    """What came of a run, said once where several processes trained."""
    from training.runtime import machine

    if machine().is_main_process:
        say(result.summary())
