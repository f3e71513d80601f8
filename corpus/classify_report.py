"""Pages about classification: how well a model decides, and what it found in a set."""

from __future__ import annotations

from pathlib import Path

from corpus.scores import Score, Taught
from foundation import plots
from foundation.report import Block, Section, Tile, plot, table, write_page

_INTRO = (
    "行为真实类别，列为判定类别；只用未参与训练的样本。Rows are the true classes, columns the decided ones; "
    "none of these consultations was trained on."
)


def write_model_report(path: Path, taught: Taught) -> None:
    """Write the page about a trained model."""
    sections = [score_section("科室", "Departments", taught.department)]
    if taught.scenario is not None:
        sections.append(score_section("场景", "Scenarios", taught.scenario))
    write_page(
        path,
        title="仲景工坊 · 分类器报告  Zhongjing: classifier report",
        subtitle=f"{taught.labelled:,} of {taught.read:,} rows name a department",
        notices=[],
        tiles=_tiles(taught.department),
        sections=sections,
    )


def score_section(chinese: str, english: str, score: Score) -> Section:
    """The confusion matrix of a decision, its classes one by one, and what it rests on."""
    by_class = score.by_class()
    rows = [
        (name, score.trained.get(name, 0), score.tested.get(name, 0), *(round(value, 3) for value in by_class[name]))
        for name in score.classes
    ]
    heads = ("class", "trained on", "tested on", "precision", "recall", "F1")
    blocks = [
        plot(plots.confusion(score.classes, score.confusion), "混淆矩阵  confusion matrix"),
        table(heads, rows, "各类  class by class"),
        *_alone(score),
        *_missing(score),
    ]
    return Section(chinese, english, _INTRO, blocks)


def _alone(score: Score) -> list[Block]:
    shares = {name: round(value, 3) for name, value in score.alone.items()}
    return [plot(plots.bars(shares), "各类证据单独的准确率  accuracy of each kind of evidence alone")] if shares else []


def _missing(score: Score) -> list[Block]:
    """The classes without examples: known by the vocabulary alone, or never tested."""
    rows = [(name, "trained on the vocabulary alone") for name in score.without(score.trained)]
    rows += [(name, "not tested") for name in score.without(score.tested)]
    return [table(("class", "no example"), rows, "没有样本的类别  classes without examples")] if rows else []


def _tiles(score: Score) -> list[Tile]:
    if score.accuracy is None or score.macro_f1 is None:
        return [Tile("—", "没有测试样本  no test examples")]
    return [
        Tile(f"{score.accuracy:.1%}", "科室准确率  accuracy of departments"),
        Tile(f"{score.macro_f1:.3f}", "宏平均 F1  macro F1"),
        Tile(f"{sum(score.tested.values()):,}", "测试样本  test examples"),
    ]
