"""The page of a reward model's run: what it gets right, how sure it may be, and where it is fooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation import plots
from foundation.manifest import FileEntry
from foundation.report import Block, Section, Tile, plot, table
from training.examples import Example
from training.quality import Accuracy, Quality, Scores
from training.recipes import RewardRecipe
from training.run_report import Curve, write_run_report
from training.scoring import Normalisation

if TYPE_CHECKING:
    from training.reward import RewardMetrics

SHOWN = 12
CURVES = (
    Curve("损失  loss", ("loss",), "mean loss per prompt"),
    Curve("梯度范数  gradient norm", ("gradient_norm",), "norm before clipping"),
    Curve("学习率  learning rate", ("learning_rate",), "learning rate"),
)


def write_reward_report(
    path: Path,
    recipe: RewardRecipe,
    inputs: Mapping[str, FileEntry],
    metrics: RewardMetrics,
    normalisation: Normalisation,
    history: Sequence[Any],
    examples: Sequence[Example],
    scores: Sequence[Scores],
) -> None:
    """Write the page; `examples` are the held-out ones with their raw `scores`."""
    sections = [_data(metrics, normalisation)]
    if metrics.held_out is not None:
        sections += [_accuracy(metrics), _trust(metrics.held_out), _samples(recipe, normalisation, examples, scores)]
    write_run_report(
        path,
        title="奖励模型  Reward model",
        tiles=_tiles(metrics),
        sections=sections,
        curves=CURVES,
        history=history,
        recipe=recipe,
        inputs=inputs,
    )


def _tiles(metrics: RewardMetrics) -> list[Tile]:
    tiles = [
        Tile(f"{metrics.train_prompts:,}", "训练题  training prompts"),
        Tile(f"{metrics.loss_first:.3f} → {metrics.loss_last:.3f}", "损失  loss"),
    ]
    if metrics.held_out is not None:
        held = metrics.held_out
        tiles += [
            Tile(f"{held.accuracy.accuracy:.1%}", "留出对准确率  held-out pairs right"),
            Tile(f"{held.calibration_error:.3f}", "校准误差  calibration error (ECE)"),
            Tile(f"{held.length.correlation:+.2f}", "与长度的相关  correlation with length"),
        ]
    return tiles


def _data(metrics: RewardMetrics, normalisation: Normalisation) -> Section:
    rows: list[tuple[Any, ...]] = [
        ("train", metrics.train_prompts, metrics.train_pairs),
        ("test", metrics.test_prompts, metrics.test_pairs),
    ]
    blocks = [table(("split", "prompts", "pairs"), rows)]
    if metrics.left_out:
        left: list[tuple[Any, ...]] = list(metrics.left_out.items())
        blocks.append(table(("reason", "rows"), left, "未采用的行（见 rejects.jsonl）  rows left out"))
    intro = (
        f"{metrics.truncated} 题超过上限，去掉最早的轮次。Prompts over the limit lost their oldest turns: "
        f"{metrics.truncated}. Rewards have mean 0 and deviation 1 on {normalisation.answers} training answers "
        f"({normalisation.source})."
    )
    return Section("学了什么", "What was learned from", intro, blocks)


def _accuracy(metrics: RewardMetrics) -> Section:
    held = metrics.held_out
    assert held is not None
    low, high = held.accuracy_interval
    tau = "unknown" if held.kendall_tau is None else f"{held.kendall_tau:.3f}"
    intro = (
        f"全部 {held.accuracy.pairs} 对：{held.accuracy.accuracy:.1%}（95% 区间 {low:.1%} 至 {high:.1%}，按题重抽样），"
        f"Kendall tau {tau}。专家之间约 73% 一致，远高于此应当怀疑。Experts agree with each other on about 73 % of "
        "pairs (InstructGPT): much more than that deserves suspicion."
    )
    groups = {
        "按专家分歧  by the experts' margin": held.by_margin,
        "按维度，对单个专家  by dimension, against single experts": held.by_dimension,
        "按科室  by department": held.by_department,
        "按专家  by expert": held.by_expert,
    }
    blocks = [_shares(found, heading) for heading, found in groups.items() if found]
    if metrics.without_expert:
        rows: list[tuple[Any, ...]] = [
            (
                left.expert,
                f"{held.by_expert[left.expert].accuracy:.1%}",
                f"{left.held_out.accuracy:.1%}",
                left.held_out.pairs,
            )
            for left in metrics.without_expert
            if left.held_out is not None
        ]
        heads = ("expert", "in training", "left out of training", "pairs")
        blocks.append(table(heads, rows, "留一专家  held-out experts, one at a time"))
    return Section("留出集准确率", "Held-out pair accuracy", intro, blocks)


def _shares(groups: Mapping[str, Accuracy], heading: str) -> Block:
    rows: list[tuple[Any, ...]] = [(name, f"{found.accuracy:.1%}", found.pairs) for name, found in groups.items()]
    return table(("", "right", "pairs"), rows, heading)


def _trust(held: Quality) -> Section:
    stated, right, pairs = ([getattr(part, name) for part in held.reliability] for name in ("stated", "right", "pairs"))
    best = {
        "chosen by the model": [best.chosen for best in held.best_of],
        "best possible": [best.best_possible for best in held.best_of],
    }
    length = held.length
    rows: list[tuple[Any, ...]] = [
        ("choosing the longer answer would be right", f"{length.choosing_longer:.1%}"),
        ("the model prefers the longer answer", f"{length.model_prefers_longer:.1%}"),
        ("right where the better is longer", _told(length.accuracy_where_longer_is_better)),
        ("right where the better is shorter", _told(length.accuracy_where_shorter_is_better)),
        ("correlation of score and length within prompts", f"{length.correlation:+.3f}"),
    ]
    blocks = [
        plot(plots.reliability(stated, right, pairs), "可靠性图  reliability"),
        plot(plots.lines(best, "k", "share of other answers beaten"), "k 选一  best of k"),
        table(("length bias", "value"), rows, "长度偏差  length bias"),
    ]
    intro = f"ECE {held.calibration_error:.3f}。How sure the model may be, and what follows from choosing by it."
    return Section("可信程度", "Calibration, best-of-K, length", intro, blocks)


def _told(found: Accuracy) -> str:
    return f"{found.accuracy:.1%} of {found.pairs}" if found.pairs else "no such pair"


def _samples(
    recipe: RewardRecipe, normalisation: Normalisation, examples: Sequence[Example], scores: Sequence[Scores]
) -> Section:
    rows: list[tuple[Any, ...]] = []
    for example, values in list(zip(examples, scores, strict=True))[:SHOWN]:
        for place in sorted(range(len(values)), key=lambda place: -values[place]):
            reward = (values[place] - normalisation.mean) / normalisation.standard_deviation
            tier = "" if example.tiers is None else example.tiers[place] + 1
            text = example.answers[place]
            shown = (text,) if recipe.show_texts else ()
            rows.append((example.prompt_id, f"{reward:+.2f}", str(tier), example.models[place], len(text), *shown))
    heads = ("prompt", "reward", "experts' rank", "model", "characters", *(("answer",) if recipe.show_texts else ()))
    intro = (
        "留出题的回答，按奖励排序；默认不显示文字。Held-out answers by reward; their text only with show_texts: true."
    )
    return Section("样本", "Samples", intro, [table(heads, rows)])
