"""The page of a PPO run: what was gained at what distance from the reference, and what looks like a hacked reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation import plots
from foundation.manifest import FileEntry
from foundation.report import Section, Tile, plot, table
from training.recipes import PPORecipe
from training.run_report import Curve, write_run_report

if TYPE_CHECKING:
    from training.policy import PPOMetrics, PPOStep, SamplePair

SHOWN = 12
CURVES = [
    Curve("奖励  reward", ("reward",), "mean reward"),
    Curve("与参考模型的 KL  KL to the reference", ("kl",), "nats per answer"),
    Curve("长度  length", ("length",), "tokens"),
    Curve("重复与结束  repetition, answers that ended", ("repetition", "ended"), "share"),
    Curve("损失  losses", ("policy_loss", "value_loss"), "loss"),
    Curve("熵  entropy of what was drawn", ("entropy",), "nats per token"),
    Curve("KL 权重  weight of the KL penalty", ("kl_coefficient",), "weight"),
    Curve("截断  share of tokens where the clip binds", ("clip_fraction",), "share"),
]


def write_policy_report(
    path: Path,
    recipe: PPORecipe,
    metrics: PPOMetrics,
    history: Sequence[PPOStep],
    pairs: Sequence[SamplePair],
    inputs: Mapping[str, FileEntry],
) -> None:
    """Write `report.html`; answers are quoted where the recipe's `show_texts` allows it."""
    low, high = metrics.reward_gain_interval
    tiles = [
        Tile(
            f"{metrics.reward_before:+.2f} → {metrics.reward_after:+.2f}", "留出提示的平均奖励  mean reward, held out"
        ),
        Tile(f"{metrics.reward_gain:+.2f} ({low:+.2f} to {high:+.2f})", "提升与 95% 区间  gain, 95 % interval"),
        Tile(f"{metrics.kl:.2f}", "KL，每个回答  KL, nats per answer"),
        Tile(f"{metrics.length_before:.0f} → {metrics.length_after:.0f}", "回答字数  characters an answer"),
    ]
    write_run_report(
        path,
        title="PPO",
        tiles=tiles,
        sections=[_reward(metrics), _watch(metrics, history), _samples(recipe, pairs)],
        curves=CURVES,
        history=history,
        recipe=recipe,
        inputs=inputs,
        notices=[f"{words}, while the reward rose" for words in metrics.warnings],
    )


def _reward(metrics: PPOMetrics) -> Section:
    before, after = (
        (mean, (high - low) / 2)
        for mean, (low, high) in (
            (metrics.reward_before, metrics.reward_before_interval),
            (metrics.reward_after, metrics.reward_after_interval),
        )
    )
    intro = (
        f"留出提示 {metrics.test_prompts} 个，每个 {metrics.samples} 次采样，前后同种子；误差线为 95% 区间。"
        "Same held-out prompts, decoding and seeds before and after; bars are 95 % intervals."
    )
    return Section("奖励", "Reward", intro, [plot(plots.before_after(before, after))])


def _watch(metrics: PPOMetrics, history: Sequence[PPOStep]) -> Section:
    intro = (
        "奖励上升而回答变长、重复或不再结束，往往是在讨好奖励模型。横轴为 KL 的平方根（arXiv 2210.10760）。"
        "A reward that rises with longer, repetitive or unending answers is often a reward model being pleased; "
        "the abscissa is the square root of KL (arXiv 2210.10760)."
    )
    distance = [max(step.kl, 0.0) ** 0.5 for step in history]
    frontier = plots.path(
        distance, [step.reward for step in history], "square root of KL (nats per answer)", "mean reward"
    )
    signs: list[tuple[Any, ...]] = [(words,) for words in metrics.warnings] or [("无  none",)]
    blocks = [plot(frontier, "奖励与 KL 的前沿  reward against KL"), table(("迹象  signs",), signs)]
    return Section("奖励作弊", "Reward hacking watch", intro, blocks)


def _samples(recipe: PPORecipe, pairs: Sequence[SamplePair]) -> Section:
    if not recipe.show_texts:
        intro = "回答见 samples.jsonl；配方中 show_texts: true 可在此显示。"
        intro += "Answers are in samples.jsonl, quoted here with show_texts: true."
        return Section("回答样例", "Samples", intro, [])
    shown = [pair for pair in pairs if pair.sample == 0][:SHOWN]
    rows: list[tuple[Any, ...]] = [
        (pair.prompt_id, pair.before, pair.reward_before, pair.after, pair.reward_after) for pair in shown
    ]
    intro = "同一提示、同一种子，训练前后。The same prompt and seed before and after."
    return Section("回答样例", "Samples", intro, [table(("prompt", "before", "reward", "after", "reward"), rows)])
