"""What is told of classification: how well a model decides, and what it found in a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from corpus.classification.scores import Score, Taught, confusion_of
from corpus.records import DEPARTMENTS
from corpus.sets import DIALOGUES
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


def about(version: Path) -> Section:
    """Departments and scenarios of a version, and how the classifier agrees with the files that state a department."""
    profiles = _profiles(version)
    stated = profiles.filter(pl.col("stated"))
    true, decided = stated["dialogue_department"].to_list(), stated["department"].to_list()
    blocks = [plot(plots.bars(_counts(profiles, "scenario")), "场景  scenarios")]
    if true:
        alike = sum(map(str.__eq__, true, decided)) / len(true)
        heading = f"原始标注与分类器：{alike:.1%} 一致  stated (rows) and decided (columns): {alike:.1%} alike"
        blocks.append(plot(plots.confusion(DEPARTMENTS, confusion_of(DEPARTMENTS, true, decided)), heading))
    confidence = profiles["department_confidence"].to_numpy()
    blocks.append(plot(plots.histogram(confidence, "probability of the department"), "把握  confidence"))
    filled = profiles.filter(~pl.col("stated") & pl.col("dialogue_department").is_not_null()).height
    intro = (
        f"{len(true):,} 段由原文件给出科室，{filled:,} 段由分类器补上。Files state the department of {len(true):,} "
        f"dialogues and the classifier fills in {filled:,}; a stated one is never changed. Where a model was trained "
        "on these very dialogues the agreement says little."
    )
    return Section("科室与场景", "Departments and scenarios", intro, blocks)


def course(version: Path) -> Section:
    """How the consultations of a version go."""
    profiles = _profiles(version)
    slots = _counts(profiles.select(pl.col("slots").explode()).drop_nulls(), "slots")
    blocks = [
        plot(plots.histogram(profiles["inquiry"].to_numpy(), "share of doctor turns that ask"), "主动提问  inquiry"),
        plot(
            plots.histogram(profiles["gained"].to_numpy(), "new entities and slots in the answers to questions"),
            "提问所得  information gained",
        ),
        plot(plots.histogram(profiles["completeness"].to_numpy(), "share of slots"), "完整度  completeness"),
        plot(plots.bars(slots), "各要素出现的对话数  dialogues that hold each slot"),
        plot(plots.bars(_counts(profiles, "structure")), "结构  turn structure"),
    ]
    intro = (
        "医生先问后答是这一数据的价值所在。A doctor who asks before advising is what these data are for: how often "
        "doctors ask, what the answers bring, and how much of a consultation's record is there."
    )
    return Section("问诊过程", "The course of consultations", intro, blocks)


def _profiles(version: Path) -> pl.DataFrame:
    columns = pl.col("department").alias("dialogue_department"), pl.col("profile")
    return pl.scan_parquet(version / DIALOGUES).select(columns).unnest("profile").drop_nulls("structure").collect()


def _counts(frame: pl.DataFrame, column: str) -> dict[str, Any]:
    counted = frame[column].value_counts().sort("count", column, descending=[True, False])
    return dict(counted.iter_rows())


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
