"""`report.html` of an evaluation. It quotes nobody unless the recipe asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundation import plots
from foundation.manifest import FileEntry
from foundation.report import Block, Section, Tile, plot, table, write_page
from training.evaluation.examples import Example
from training.evaluation.measures import Figure
from training.evaluation.recipe import EvaluationRecipe
from training.evaluation.report_tables import (
    Rows,
    ablation,
    agreement,
    between,
    biases,
    contamination,
    published,
    strengths,
    tests,
)
from training.evaluation.results import Results
from training.evaluation.rubric import OVERALL
from training.evaluation.tables import Cell

Texts = Mapping[tuple[str, str], str]
CELL_HEADS = (
    "胜 win",
    "平 tie",
    "负 loss",
    "胜率 win rate %",
    "95 %",
    "p 校正 corrected",
    "判定 verdicts",
    "无结论 missing",
)
SIGNS = {1: "胜", 0: "平", -1: "负"}


def write_report(
    path: Path, recipe: EvaluationRecipe, results: Results, inputs: Sequence[FileEntry], texts: Texts
) -> None:
    """Write the page."""
    write_page(
        path,
        title="模型评测  Evaluation",
        subtitle=" · ".join(results.models),
        notices=results.notices,
        tiles=list(_tiles(results)),
        sections=[section for section in _sections(recipe, results, inputs, texts) if section.blocks],
    )


def _sections(
    recipe: EvaluationRecipe, results: Results, inputs: Sequence[FileEntry], texts: Texts
) -> Iterator[Section]:
    yield ablation(results)
    yield _pairs(results)
    yield _abilities(results)
    yield strengths(results)
    yield biases(results)
    yield agreement(results)
    yield _departments(results)
    yield _measures(results)
    yield tests(results)
    yield contamination(results)
    yield published(results)
    yield _examples(results, texts)
    yield _trace(recipe, results, inputs)


def _tiles(results: Results) -> Iterator[Tile]:
    yield Tile(str(len(results.models)), "模型 models")
    yield Tile(f"{sum(test.items for test in results.tests):,}", "试题 prompts")
    yield Tile(f"{sum(part.judged for part in results.coverage):,}", "判定 verdicts")
    missing = sum(part.asked - part.judged for part in results.coverage)
    yield Tile(f"{missing:,}", "无结论 without a verdict")


def _pairs(results: Results) -> Section:
    blocks: list[Block] = []
    for judge, test in _stages(results.cells):
        cells = [cell for cell in results.cells if (cell.judge, cell.test) == (judge, test) and "." not in cell.axis]
        main = [cell for cell in cells if cell.axis == OVERALL]
        if main:
            shares = {_who(cell): {"胜 win": cell.win, "平 tie": cell.tie, "负 loss": cell.loss} for cell in main}
            blocks.append(plot(plots.stacked(shares), f"{judge} · {test}"))
        blocks.append(table(("", "维度 dimension", *CELL_HEADS), _cell_rows(results, cells), f"{judge} · {test}"))
    intro = (
        "每一格的胜、平、负相加恰为 100（最大余数法）；区间与检验以对话为单位；无结论的比较不算任何一方。"
        "Win, tie and loss sum to 100 exactly; intervals (bootstrap) and p (exact sign-flip test) are by dialogue; "
        "what is missing counts for nobody."
    )
    return Section("胜负", "Win, tie, loss", intro, blocks)


def _abilities(results: Results) -> Section:
    blocks: list[Block] = []
    cells = [cell for cell in results.cells if "." in cell.axis]
    for judge, test in _stages(cells):
        own = [cell for cell in cells if (cell.judge, cell.test) == (judge, test)]
        rates: dict[str, dict[str, float]] = {}
        for cell in own:
            rates.setdefault(_who(cell), {})[_ability(results, cell)] = cell.win_rate
        if all(len(values) > 2 for values in rates.values()):
            blocks.append(plot(plots.radar(rates, 100), f"{judge} · {test}：九项能力胜率 win rate, nine abilities"))
        forest = {f"{_who(cell)} · {_ability(results, cell)}": (cell.win_rate, *cell.win_rate_interval) for cell in own}
        blocks.append(plot(plots.intervals(forest, "win rate %", middle=50), f"{judge} · {test}"))
        blocks.append(table(("", "能力 ability", *CELL_HEADS), _cell_rows(results, own), f"{judge} · {test}"))
    intro = "50 表示势均力敌。A win rate of 50 % is even; ties count half."
    return Section("九项能力", "Nine abilities", intro, blocks)


def _departments(results: Results) -> Section:
    blocks = []
    for judge, test in _stages(results.departments):
        cells = [cell for cell in results.departments if (cell.judge, cell.test) == (judge, test)]
        rows = [(cell.department, *row) for cell, row in zip(cells, _cell_rows(results, cells), strict=True)]
        blocks.append(table(("科室 department", "", "维度 dimension", *CELL_HEADS), rows, f"{judge} · {test}"))
    intro = "各科室的判定较少，看区间。Departments have few verdicts each: look at the intervals."
    return Section("科室", "Departments", intro, blocks)


def _measures(results: Results) -> Section:
    intro = "括号内为 95 % 区间；与医生原回复相像不等于好。In brackets 95 %; likeness to the doctor proves nothing."
    blocks = [_automatic(results), _statements(results), _rewards(results)]
    return Section("自动指标", "Measures", intro, [block for block in blocks if block.rows])


def _automatic(results: Results) -> Block:
    heads = ("模型 model", "题集 test", "回答 answers", "缺失或截断 faults", "主动问诊 inquiry %", "字数 characters")
    overlaps = ("distinct-1", "distinct-2", "BLEU", "ROUGE-1", "ROUGE-2", "ROUGE-L", "BERTScore")
    rows: Rows = [
        (
            one.model,
            one.test,
            one.answers,
            ", ".join(f"{reason} {count}" for reason, count in one.faults.items()) or "–",
            *map(_figure, (one.inquiry, one.characters)),
            *(f"{value:.1f}" if value is not None else "–" for value in (one.distinct_1, one.distinct_2)),
            *map(_figure, (one.bleu, one.rouge1, one.rouge2, one.rougeL, one.bert_score)),
        )
        for one in results.measures
    ]
    return table((*heads, *overlaps), rows, "自动指标 Automatic measures")


def _statements(results: Results) -> Block:
    heads = ("模型 model", "题集 test", "回答 answers", "图谱支持 supported", "相矛盾 contradicted", "未知 unknown")
    rows: Rows = [
        (one.model, one.test, one.answers, *(round(v, 3) for v in (one.supported, one.contradicted, one.unknown)))
        for one in results.statements
    ]
    return table(heads, rows, "每个回答的陈述数 Statements per answer, held against the graph")


def _rewards(results: Results) -> Block:
    heads = ("模型 model", "评判 judge", "题集 test", "回答 answers", "平均奖励 mean reward")
    rows: Rows = [(one.model, one.judge, one.test, one.answers, _figure(one.reward, 2)) for one in results.rewards]
    return table(heads, rows, "奖励 Rewards")


def _examples(results: Results, texts: Texts) -> Section:
    blocks = [
        table(
            ("试题 prompt", "对阵 pair", "分 score", "判定 outcomes", *(["原文 text"] if texts else [])), rows, heading
        )
        for heading, found in (
            ("最悬殊 Most lopsided", results.lopsided),
            ("最有争议 Most disputed", results.disputed),
        )
        if (rows := [_example(results, example, texts) for example in found])
    ]
    intro = (
        "默认不引用原文；按编号在 answers.jsonl 与 verdicts.jsonl 中查找。"
        "No text unless the recipe asks for it; look ids up in answers.jsonl and verdicts.jsonl."
    )
    return Section("例子", "Examples", intro, blocks)


def _example(results: Results, example: Example, texts: Texts) -> tuple[Any, ...]:
    said = "\n".join(
        f"{judge}: " + " ".join(f"{results.axes[axis]}{SIGNS[value]}" for axis, value in outcome.items() if value)
        for judge, outcome in example.outcomes.items()
    )
    row = (f"{example.test} {example.prompt_id}", f"{example.one}\n{example.other}", example.score, said)
    if not texts:
        return row
    quoted = [f"{name or '对话'}：\n{texts[example.prompt_id, name]}" for name in ("", example.one, example.other)]
    return (*row, "\n\n".join(quoted))


def _trace(recipe: EvaluationRecipe, results: Results, inputs: Sequence[FileEntry]) -> Section:
    rows: Rows = [(entry.name, entry.bytes, entry.sha256) for entry in inputs]
    options: Rows = [(name, str(value)) for name, value in recipe.told().items() if value is not None]
    blocks = [
        table(("input", "bytes", "SHA-256"), rows, "输入 What went in"),
        table(("option", "value"), options, "配方 Recipe"),
    ]
    intro = f"评判标准 rubric: {results.rubric}"
    return Section("来历", "Where it comes from", intro, blocks)


def _cell_rows(results: Results, cells: Sequence[Cell]) -> Rows:
    return [
        (
            _who(cell),
            results.axes[cell.axis],
            cell.win,
            cell.tie,
            cell.loss,
            round(cell.win_rate, 1),
            between(cell.win_rate_interval, 0),
            f"{cell.p_corrected:.3g}",
            cell.verdicts,
            cell.missing,
        )
        for cell in cells
    ]


def _stages(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((cell.judge, cell.test) for cell in cells))


def _ability(results: Results, cell: Cell) -> str:
    """The ability without its dimension."""
    return results.axes[cell.axis].rpartition("·")[2]


def _who(cell: Cell) -> str:
    return f"{cell.one} : {cell.other}"


def _figure(figure: Figure | None, digits: int = 1) -> str:
    return f"{figure.value:.{digits}f} ({between(figure.interval, digits)})" if figure else "–"
