"""Sections of the report that need nothing but the results: strengths, biases, agreement, ablation, test sets."""

from __future__ import annotations

from typing import Any

from foundation import plots
from foundation.report import Block, Section, plot, table
from training.evaluation.results import Results
from training.evaluation.rubric import OVERALL
from training.evaluation.tables import Cell

Rows = list[tuple[Any, ...]]
Heads = tuple[str, ...]


def ablation(results: Results) -> Section:
    """One table and one plot over all checkpoints."""
    cells = [(row, cell) for row in results.ablation for cell in row.cells]
    stages = list(dict.fromkeys((cell.judge, cell.test) for _, cell in cells))
    axes = list(dict.fromkeys(cell.axis for _, cell in cells))
    rows: Rows = [
        (row.without, row.model, judge, test, *(_told(_find(row.cells, judge, test, axis)) for axis in axes))
        for row in results.ablation
        for judge, test in stages
    ]
    forest = {
        f"− {row.without} · {cell.judge} · {cell.test}": (cell.win_rate, *cell.win_rate_interval)
        for row, cell in cells
        if cell.axis == OVERALL
    }
    blocks: list[Block] = []
    if rows:
        heads = ("去掉 without", "模型 model", "评判 judge", "题集 test", *(results.axes[axis] for axis in axes))
        blocks = [table(heads, rows, f"对照 against {results.ablation[0].baseline}")]
    if forest:
        blocks.append(plot(plots.intervals(forest, "win rate %", middle=50), "总体 overall"))
    intro = (
        "每一行是少了一个环节的检查点，与完整模型相比：胜/平/负，括号内为校正后的 p。胜率低于 50 说明该环节有用。"
        "Each row is a checkpoint that lacks one stage, against the whole model: win/tie/loss, corrected p in brackets."
    )
    return Section("消融", "Ablation", intro, blocks)


def strengths(results: Results) -> Section:
    """Bradley-Terry strengths, and win rates at equal length."""
    blocks: list[Block] = []
    overall = [one for one in results.strengths if one.axis == OVERALL]
    for judge, test in dict.fromkeys((one.judge, one.test) for one in overall):
        found = [one for one in overall if (one.judge, one.test) == (judge, test)]
        forest = {one.model: (one.strength, *one.interval) for one in sorted(found, key=lambda one: -one.strength)}
        blocks.append(plot(plots.intervals(forest, "log strength", middle=0), f"{judge} · {test}"))
    scores: Rows = [
        (one.model, one.judge, one.test, results.axes[one.axis], round(one.strength, 2), between(one.interval, 2))
        for one in results.strengths
    ]
    if scores:
        names = ("模型 model", "评判 judge", "题集 test", "方面 axis", "强度 log strength", "95 %")
        blocks.append(table(names, scores, "Bradley-Terry"))
    rows: Rows = [
        (
            f"{one.one} : {one.other}",
            one.judge,
            one.test,
            round(one.win_rate, 1),
            round(one.controlled.win_rate, 1),
            between(one.controlled.interval),
            round(one.controlled.effect, 2),
            between(one.controlled.effect_interval, 2),
        )
        for one in results.length_controlled
    ]
    if rows:
        heads = ("", "评判 judge", "题集 test", "胜率 win rate %", "等长胜率 at equal length %", "95 %")
        blocks.append(table((*heads, "长度效应 effect", "95 % "), rows, "长度校正 Length-controlled win rate"))
    intro = (
        "Bradley-Terry 模型，含平局（Davidson 1970），均值为 0；等长胜率是把两份回答长度之差的作用去掉后的胜率。"
        "Log strengths with ties, mean 0; the length-controlled win rate takes out what length has to do with it."
    )
    return Section("强弱", "Strengths", intro, blocks)


def biases(results: Results) -> Section:
    """Position and length."""
    positions: Rows = [
        (
            one.judge,
            results.axes[one.axis],
            one.pairs,
            one.inconsistent,
            round(one.share, 1),
            one.first,
            one.second,
            f"{one.p:.3g}",
            {None: "–", "first": "先 first", "second": "后 second"}[one.favours],
        )
        for one in results.position_bias
    ]
    lengths: Rows = [
        (
            one.judge,
            one.decided,
            one.longer_won,
            round(one.share, 1),
            round(one.effect, 2),
            between(one.interval, 2),
            "是 yes" if one.found else "–",
        )
        for one in results.length_bias
    ]
    blocks: list[Block] = []
    heads: Heads
    if positions:
        heads = (
            "评判 judge",
            "方面 axis",
            "对 pairs",
            "换序变 changed",
            "%",
            "偏先 first",
            "偏后 second",
            "p",
            "偏好 bias",
        )
        blocks.append(table(heads, positions, "位置 Position"))
    if lengths:
        heads = ("评判 judge", "决出 decided", "长者胜 longer won", "%", "长度效应 effect", "95 %", "偏好 bias")
        blocks.append(table(heads, lengths, "长度 Length"))
    work: Rows = [
        (judge, one.asked_again, ", ".join(f"{reason} {count}" for reason, count in one.faults.items()) or "–")
        for judge, one in results.judge_work.items()
    ]
    if work:
        heads = ("评判 judge", "重问 asked again", "失败 failed readings")
        blocks.append(table(heads, work, "评判的失误 What the judge got wrong"))
    intro = (
        "每对回答都以两种顺序评判；结论不一致的算平局，并列在这里。长回答未必更差，请与专家的偏好相比。"
        "Every pair is judged in both orders; what changes with the order is a tie and stands here."
    )
    return Section("偏差", "Biases", intro, blocks)


def agreement(results: Results) -> Section:
    """Judges with each other, experts among themselves."""
    pairs: Rows = [
        (
            f"{one.one} : {one.other}",
            results.axes[one.axis],
            one.pairs,
            round(one.share, 1),
            round(one.kappa, 3) if one.kappa is not None else "–",
            between(one.interval, 2) if one.interval else "–",
        )
        for one in results.agreement
    ]
    experts: Rows = [
        (
            one.judge,
            results.axes[one.axis],
            one.pairs,
            one.votes,
            round(one.share, 1),
            round(one.kappa, 3) if one.kappa is not None else "–",
        )
        for one in results.expert_agreement
    ]
    blocks: list[Block] = []
    heads: Heads
    if pairs:
        heads = ("评判 judges", "方面 axis", "对 pairs", "一致 equal %", "Cohen κ", "95 %")
        blocks.append(table(heads, pairs, "评判之间 Between judges"))
    if experts:
        heads = ("专家 experts", "方面 axis", "对 pairs", "票 votes", "一致 equal %", "Fleiss κ")
        blocks.append(table(heads, experts, "专家之间 Among experts"))
    intro = "专家彼此的一致是评判者所能达到的上限。How far experts agree among themselves is as far as a judge can get."
    return Section("一致性", "Agreement", intro, blocks)


def tests(results: Results) -> Section:
    """What was asked, and how much of it was judged."""
    sets: Rows = [
        (
            one.name,
            one.kind,
            one.dialogues,
            one.items,
            one.without_reference,
            one.unread,
            one.unasking,
            one.undrawn,
            one.contaminated,
        )
        for one in results.tests
    ]
    heads: Heads = ("题集 test", "类型 kind", "对话 dialogues", "试题 prompts", "无参考 no reference", "读不了 unread")
    heads += ("无提问 nothing asked", "未抽中 not drawn", "见于训练 contaminated")
    covered: Rows = [
        (
            one.judge,
            one.test,
            f"{one.one} : {one.other}",
            one.asked,
            one.judged,
            ", ".join(f"{reason} {count}" for reason, count in one.faults.items()) or "–",
        )
        for one in results.coverage
    ]
    blocks = [table(heads, sets, "题集 Test sets")]
    if covered:
        names = ("评判 judge", "题集 test", "", "应判 asked", "已判 judged", "原因 why not")
        blocks.append(table(names, covered, "覆盖 Coverage"))
    intro = "没有结论的比较按原因列出。Matches without a verdict, by reason."
    return Section("题集与覆盖", "Test sets and coverage", intro, blocks)


def contamination(results: Results) -> Section:
    """Test dialogues that were trained on."""
    rows: Rows = [
        (one.test, one.row, one.version, one.trained_on, one.similarity, "是 yes" if one.exact else "–")
        for one in results.contamination
    ]
    heads = ("题集 test", "对话 dialogue", "训练版本 version", "相近于 like", "相似度 similarity", "完全相同 exact")
    intro = "与训练数据相同或相近的测试对话（3 字片段的 Jaccard）。Test dialogues like one of the training data."
    return Section("污染", "Contamination", intro, [table(heads, rows)] if rows else [])


def published(results: Results) -> Section:
    """A published table and its faults."""
    rows: Rows = [
        (
            one.line,
            " ".join(filter(None, (one.test, one.one, one.other))),
            one.axis,
            *("–" if value is None else value for value in (one.win, one.tie, one.loss, one.total)),
            one.fault or "–",
        )
        for one in results.published
    ]
    heads = ("行 line", "对阵 pair", "能力 axis", "胜 win", "平 tie", "负 loss", "和 sum", "问题 fault")
    faulty = sum(one.fault is not None for one in results.published)
    intro = f"{len(rows)} 格中 {faulty} 格有误。{faulty} of {len(rows)} cells have a fault."
    return Section("已发表的表", "Published table", intro, [table(heads, rows)] if rows else [])


def _find(cells: list[Cell], judge: str, test: str, axis: str) -> Cell | None:
    return next((cell for cell in cells if (cell.judge, cell.test, cell.axis) == (judge, test, axis)), None)


def _told(cell: Cell | None) -> str:
    return "–" if cell is None else f"{cell.win}/{cell.tie}/{cell.loss} ({cell.p_corrected:.2g})"


def between(interval: tuple[float, float], digits: int = 1) -> str:
    """An interval as Chinese papers write it: 16.5~32.7."""
    low, high = (f"{value:.{digits}f}" for value in interval)
    return f"{low}~{high}"
