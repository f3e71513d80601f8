"""All that an evaluation found, as `results.json` holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from training.evaluation.answers import Answers
from training.evaluation.bias import (
    Agreement,
    Concord,
    LengthBias,
    PositionBias,
    agreements,
    concords,
    length_biases,
    position_biases,
)
from training.evaluation.contamination import Leak
from training.evaluation.examples import Example, disputed, lopsided
from training.evaluation.experts import Panel
from training.evaluation.items import Loaded
from training.evaluation.llm_judge import Work
from training.evaluation.measures import Figure, Measured, mean_of
from training.evaluation.notices import Tested, notices, tested
from training.evaluation.other_judges import Found
from training.evaluation.published import Published
from training.evaluation.recipe import EvaluationRecipe
from training.evaluation.rubric import OVERALL, Rubric
from training.evaluation.tables import (
    Cell,
    Coverage,
    LengthControlled,
    Strength,
    count_cells,
    coverage,
    length_controls,
    strengths,
)
from training.evaluation.verdicts import Verdict


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """What the graph says of one model's statements on one test set, per answer."""

    judge: str
    test: str
    model: str
    answers: int
    supported: float
    contradicted: float
    unknown: float


class Rewarded(msgspec.Struct, frozen=True, kw_only=True):
    """The mean reward of one model's answers on one test set, in standard deviations of the reward model's training,
    with a 95 % interval over dialogues."""

    judge: str
    test: str
    model: str
    answers: int
    reward: Figure


class Ablated(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint trained without something, against the whole model: a row of the ablation table."""

    without: str
    model: str
    baseline: str
    cells: list[Cell]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """`results.json`. Lists of one struct each, described there; `axes` are all respects with their Chinese names."""

    models: list[str]
    baselines: list[str]
    axes: dict[str, str]
    rubric: str
    tests: list[Tested]
    notices: list[str]
    cells: list[Cell]
    departments: list[Cell]
    coverage: list[Coverage]
    strengths: list[Strength]
    length_controlled: list[LengthControlled]
    position_bias: list[PositionBias]
    length_bias: list[LengthBias]
    agreement: list[Agreement]
    expert_agreement: list[Concord]
    measures: list[Measured]
    statements: list[Stated]
    rewards: list[Rewarded]
    ablation: list[Ablated]
    lopsided: list[Example]
    disputed: list[Example]
    contamination: list[Leak]
    published: list[Published]
    judge_work: dict[str, Work]
    panels: dict[str, Panel]


class Gathered(msgspec.Struct, kw_only=True):
    """What a run collected before it was counted."""

    tests: list[Loaded]
    answers: Answers
    leaks: list[Leak]
    published: list[Published]
    verdicts: list[Verdict] = []
    measured: list[Measured] = []
    work: dict[str, Work] = {}
    panels: dict[str, Panel] = {}
    stated: dict[str, Found] = {}
    rewarded: dict[str, Found] = {}


def summarise(recipe: EvaluationRecipe, rubric: Rubric, gathered: Gathered) -> Results:
    """Count everything. The same verdicts and seed give the same results."""
    verdicts, seed = gathered.verdicts, recipe.seed
    axes = list(rubric.axes)
    broad = [OVERALL, *(part.key for part in rubric.dimensions)]
    lengths = {
        (prompt_id, model): len(answer.text)
        for model, answers in gathered.answers.items()
        for prompt_id, answer in answers.items()
    }
    cells = count_cells(verdicts, axes, correction=recipe.correction, seed=seed)
    biases = position_biases(verdicts)
    lengthy = length_biases(verdicts, lengths, seed)
    covered = coverage(verdicts)
    tests = [tested(loaded, gathered.leaks) for loaded in gathered.tests]
    return Results(
        models=[model.name for model in recipe.models],
        baselines=list(recipe.baselines),
        axes=rubric.axes,
        rubric=rubric.version,
        tests=tests,
        notices=list(notices(gathered.panels, tests, biases, lengthy, covered)),
        cells=cells,
        departments=count_cells(verdicts, broad, correction=recipe.correction, seed=seed, by_department=True),
        coverage=covered,
        strengths=strengths(verdicts, broad, seed),
        length_controlled=length_controls(verdicts, lengths, seed),
        position_bias=biases,
        length_bias=lengthy,
        agreement=agreements(verdicts, seed),
        expert_agreement=concords(verdicts),
        measures=gathered.measured,
        statements=list(_stated(gathered)),
        rewards=list(_rewarded(gathered, seed)),
        ablation=list(_ablation(recipe, cells)),
        lopsided=lopsided(verdicts, recipe.examples),
        disputed=disputed(verdicts, recipe.examples),
        contamination=gathered.leaks,
        published=gathered.published,
        judge_work=gathered.work,
        panels=gathered.panels,
    )


def _stated(gathered: Gathered) -> Iterator[Stated]:
    for judge, found in gathered.stated.items():
        for loaded in gathered.tests:
            for model in gathered.answers:
                figures = [found[item.id, model] for item in loaded.items if (item.id, model) in found]
                if figures:
                    yield Stated(
                        judge=judge,
                        test=loaded.test.name,
                        model=model,
                        answers=len(figures),
                        supported=sum(one.supported for one in figures) / len(figures),
                        contradicted=sum(one.contradicted for one in figures) / len(figures),
                        unknown=sum(one.unknown for one in figures) / len(figures),
                    )


def _rewarded(gathered: Gathered, seed: int) -> Iterator[Rewarded]:
    for judge, found in gathered.rewarded.items():
        for loaded in gathered.tests:
            for model in gathered.answers:
                items = [item for item in loaded.items if (item.id, model) in found]
                reward = mean_of(items, [found[item.id, model].reward for item in items], seed)
                if reward is not None:
                    yield Rewarded(judge=judge, test=loaded.test.name, model=model, answers=len(items), reward=reward)


def _ablation(recipe: EvaluationRecipe, cells: Sequence[Cell]) -> Iterator[Ablated]:
    for model in recipe.models:
        if model.without is not None:
            [baseline] = recipe.baselines
            yield Ablated(
                without=model.without,
                model=model.name,
                baseline=baseline,
                cells=[cell for cell in cells if cell.one == model.name and "." not in cell.axis],
            )


def lines_of(results: Results) -> Iterator[str]:
    """The results as text: overall win, tie and loss of every pair, and what must be known."""
    for cell in results.cells:
        if cell.axis == OVERALL or not any(other.axis == OVERALL and _same(other, cell) for other in results.cells):
            low, high = cell.win_rate_interval
            yield (
                f"{cell.judge} · {cell.test} · {cell.axis}: {cell.one} against {cell.other}: "
                f"win {cell.win} tie {cell.tie} loss {cell.loss} "
                f"(win rate {cell.win_rate:.1f} %, {low:.1f} to {high:.1f}, p {cell.p_corrected:.3g} corrected), "
                f"{cell.verdicts} verdicts, {cell.missing} missing"
            )
    yield from results.notices


def _same(one: Cell, other: Cell) -> bool:
    return (one.judge, one.test, one.one, one.other) == (other.judge, other.test, other.one, other.other)
