"""One evaluation from top to bottom: tests, answers, verdicts, numbers, report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from foundation.files import new_file, new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, claim_folder, entry_of, write_manifest
from training.evaluation.answers import Answer, Answers, collect_answers, output_id
from training.evaluation.contamination import find_leaks, without
from training.evaluation.experts import campaign_items, judge_by_experts, write_campaign
from training.evaluation.items import Item, load_test
from training.evaluation.llm_judge import Reading, conversation, judge_pairs
from training.evaluation.measures import Measured, measure, measure_doctor
from training.evaluation.other_judges import Figures, judge_by_graph, judge_by_reward
from training.evaluation.published import read_published
from training.evaluation.recipe import EvaluationRecipe, ExpertJudge, GraphJudge, LlmJudge, RewardJudge
from training.evaluation.report import write_report
from training.evaluation.results import Gathered, Results, summarise
from training.evaluation.rubric import Rubric, read_rubric
from training.evaluation.store import Store
from training.evaluation.verdicts import Verdict, in_order, matches

KIND = "evaluation"
RESULTS, VERDICTS, ANSWERS, LEAKS, REPORT = (
    "results.json",
    "verdicts.jsonl",
    "answers.jsonl",
    "contamination.jsonl",
    "report.html",
)
CAMPAIGN = "campaign"


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of `answers.jsonl`: `output_id` is what experts' rankings call it."""

    test: str
    prompt_id: str
    output_id: str
    model: str
    text: str = ""
    fault: str | None = None
    cut: bool = False


def evaluate(recipe: EvaluationRecipe) -> Results:
    """Run a recipe and write its folder. Killed, it goes on from its cache; the same recipe and cache end in the same
    bytes."""
    claim_folder(recipe.output, KIND)
    rubric = read_rubric(recipe.rubric)
    published = read_published(recipe.published) if recipe.published else []
    with TemporaryDirectory() as folder, ExitStack() as stack:
        tests = [load_test(test, Path(folder) / str(place), recipe.seed) for place, test in enumerate(recipe.tests)]
        leaks = find_leaks(recipe.contamination, tests) if recipe.contamination else []
        if recipe.contamination:
            tests = without(tests, leaks, recipe.contamination)
        stores = Stores(recipe.cache_folder, stack)
        items = [item for loaded in tests for item in loaded.items]
        answers = collect_answers(recipe, items, stores.answers)
        gathered = Gathered(tests=tests, answers=answers, leaks=leaks, published=published)
        _judge(recipe, rubric, items, gathered, stores)
        gathered.measured = list(_measured(recipe, items, answers))
    results = summarise(recipe, rubric, gathered)
    _write(recipe, results, gathered, items)
    return results


class Stores:
    """The files of the cache, open for one run."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.answers = stack.enter_context(Store(folder / "answers.jsonl", Answer))
        self.readings = stack.enter_context(Store(folder / "readings.jsonl", Reading))
        self.figures = stack.enter_context(Store(folder / "figures.jsonl", Figures))


def _judge(recipe: EvaluationRecipe, rubric: Rubric, items: Sequence[Item], gathered: Gathered, stores: Stores) -> None:
    """Let every judge of the recipe judge."""
    answers = gathered.answers
    every = matches(items, recipe.pairs, answers)
    for judge in recipe.judges:
        verdicts: list[Verdict] = []
        if isinstance(judge, LlmJudge):
            verdicts, gathered.work[judge.name] = judge_pairs(judge, rubric, every, stores.readings)
        elif isinstance(judge, RewardJudge):
            verdicts, gathered.rewarded[judge.name] = judge_by_reward(judge, items, answers, every, stores.figures)
        elif isinstance(judge, GraphJudge):
            verdicts, gathered.stated[judge.name] = judge_by_graph(judge, items, answers, every, stores.figures)
        elif isinstance(judge, ExpertJudge):
            asked = campaign_items(judge, items, recipe.seed)
            verdicts, gathered.panels[judge.name] = judge_by_experts(judge, asked, every)
        gathered.verdicts += in_order(verdicts, every)


def _measured(recipe: EvaluationRecipe, items: Sequence[Item], answers: Answers) -> Iterator[Measured]:
    score = None
    if recipe.measures.encoder is not None:
        from training.evaluation.encoder import bert_scorer

        score = bert_scorer(recipe.measures.encoder, recipe.measures.encoder_layer)
    for _, group in groupby(items, key=lambda item: item.test):
        of_test = list(group)
        for model, given in answers.items():
            yield measure(model, of_test, given, recipe.measures, recipe.seed, score)
        if (doctor := measure_doctor(of_test, recipe.measures, recipe.seed)) is not None:
            yield doctor


def _write(recipe: EvaluationRecipe, results: Results, gathered: Gathered, items: Sequence[Item]) -> None:
    with new_folder(recipe.output) as folder:
        write_records(folder / VERDICTS, gathered.verdicts)
        write_records(folder / ANSWERS, _answered(items, gathered.answers))
        write_records(folder / LEAKS, gathered.leaks)
        with new_file(folder / RESULTS) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
        for judge in recipe.judges:
            if isinstance(judge, ExpertJudge):
                (folder / CAMPAIGN).mkdir(exist_ok=True)
                write_campaign(folder / CAMPAIGN, campaign_items(judge, items, recipe.seed), gathered.answers)
        inputs = list(_inputs(recipe))
        write_report(folder / REPORT, recipe, results, inputs, _texts(recipe, items, gathered.answers))
        write_manifest(
            folder,
            kind=KIND,
            name=recipe.output.name,
            inputs=inputs,
            parameters=recipe.told(),
            counts={"items": len(items), "verdicts": len(gathered.verdicts), "cells": len(results.cells)},
        )


def _answered(items: Sequence[Item], answers: Answers) -> Iterator[Answered]:
    for model, given in answers.items():
        for item in items:
            answer = given[item.id]
            yield Answered(
                test=item.test,
                prompt_id=item.id,
                output_id=output_id(item, model),
                model=model,
                text=answer.text,
                fault=answer.fault,
                cut=answer.cut,
            )


def _inputs(recipe: EvaluationRecipe) -> Iterator[FileEntry]:
    """Every file or folder that went in, under a name that says what for."""
    for model in recipe.models:
        if model.path is not None:
            from training.models import entry_of_model

            yield msgspec.structs.replace(entry_of_model(model.path), name=f"model {model.name}")
        if model.answers is not None:
            yield entry_of(model.answers, f"model {model.name}")
    for test in recipe.tests:
        yield entry_of(test.path, f"test {test.name}")
    for judge in recipe.judges:
        path = judge.release if isinstance(judge, ExpertJudge) else getattr(judge, "path", None)
        if path is not None:
            yield entry_of(path, f"judge {judge.name}")
    for version in recipe.contamination.versions if recipe.contamination else []:
        yield entry_of(version, f"training {version.name}")
    for name in ("rubric", "published"):
        if (path := getattr(recipe, name)) is not None:
            yield entry_of(path, name)


def _texts(recipe: EvaluationRecipe, items: Sequence[Item], answers: Answers) -> dict[tuple[str, str], str]:
    """What the report may quote, by prompt id and speaker ("" for the conversation): nothing unless it is asked for."""
    if not recipe.show_texts:
        return {}
    said = {(item.id, ""): conversation(item.prompt.messages) for item in items}
    return said | {(item.id, model): given[item.id].text for model, given in answers.items() for item in items}
