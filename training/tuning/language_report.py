"""The page of a pre-training or fine-tuning run: what was learned from, and what it did to texts held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foundation.report import Section, Tile, table
from training.recipes import LanguageRecipe, SFTRecipe
from training.run_report import Curve
from training.tuning.writing import Page

if TYPE_CHECKING:
    from training.tuning.language import LanguageMetrics

CURVES = (
    Curve("损失  loss", ("loss",), "nats per token that counts"),
    Curve("梯度范数  gradient norm", ("gradient_norm",), "norm before clipping"),
    Curve("学习率  learning rate", ("learning_rate",), "learning rate"),
)


def page_of(recipe: LanguageRecipe, metrics: LanguageMetrics) -> Page:
    """What the page shows; it quotes no text."""
    fine = isinstance(recipe, SFTRecipe)
    return Page(
        title="监督微调  Supervised fine-tuning" if fine else "继续预训练  Continued pre-training",
        tiles=_tiles(metrics),
        sections=[_rows(metrics), _held_out(metrics)],
        curves=CURVES,
    )


def _tiles(metrics: LanguageMetrics) -> list[Tile]:
    learned = sum(found.learned for found in metrics.kinds.values())
    tiles = [
        Tile(f"{metrics.train_rows:,}", "训练样本  training rows"),
        Tile(f"{learned:,}", "计入损失的词元  tokens that count"),
        Tile(f"{metrics.loss_first:.3f} → {metrics.loss_last:.3f}", "损失  loss"),
    ]
    if (overall := metrics.held_out.get("all")) is not None:
        tiles.append(Tile(f"{overall.before:.3f} → {overall.after:.3f}", "留出文本，每词元  nats per token, held out"))
    return tiles


def _rows(metrics: LanguageMetrics) -> Section:
    total = sum(found.learned for found in metrics.kinds.values())
    rows: list[tuple[Any, ...]] = [
        (kind, found.rows, found.tokens, found.learned, f"{found.learned / total:.1%}")
        for kind, found in metrics.kinds.items()
    ]
    blocks = [table(("kind", "rows", "tokens", "that count", "share"), rows)]
    if metrics.left_out:
        left: list[tuple[Any, ...]] = list(metrics.left_out.items())
        blocks.append(table(("reason", "rows"), left, "未采用的行（见 rejects.jsonl）  rows left out"))
    intro = f"{metrics.cut} 段对话超过上限，去掉最早的轮次。Conversations that lost their oldest turns: {metrics.cut}."
    return Section("学了什么", "What was learned from", intro, blocks)


def _held_out(metrics: LanguageMetrics) -> Section:
    if not metrics.held_out:
        return Section("留出文本", "Texts held out", "没有留出文本。No text was held out.", [])
    rows: list[tuple[Any, ...]] = [
        (kind, found.rows, found.tokens, f"{found.before:.4f}", f"{found.after:.4f}")
        for kind, found in metrics.held_out.items()
    ]
    intro = "每个计入损失的词元的平均负对数似然。Mean negative log-likelihood per token that counts, in nats."
    heads = ("kind", "rows", "tokens", "before", "after")
    return Section("留出文本", "Texts held out", intro, [table(heads, rows)])
