"""Commands of the evaluation: `zhongjing evaluate …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foundation.cli import group, say

FAULTY = 1


def add_commands(app: typer.Typer) -> None:
    """Mount these commands."""
    evaluate = group("Compare models on the nine abilities, with numbers that hold.")
    evaluate.command("run")(run)
    evaluate.command("check-table")(check_table)
    app.add_typer(evaluate, name="evaluate")


def run(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe; its relative paths start at its own folder")],
) -> None:
    """Let models answer test sets and judges compare them; writes results.json and report.html.

    An interrupted run goes on from its cache. Documented recipe: training/recipes/tiny/evaluate.yaml

    Example: zhongjing evaluate run evaluate.yaml
    """
    from training.evaluation.recipe import EvaluationRecipe
    from training.recipes import read_recipe

    options = read_recipe(recipe, EvaluationRecipe)
    from training.evaluation.results import lines_of
    from training.evaluation.run import CAMPAIGN, REPORT, evaluate

    results = evaluate(options)
    for line in lines_of(results):
        say(line)
    if results.panels:
        folder = options.output / CAMPAIGN
        say(
            "experts rank it with: zhongjing rank create "
            f"--prompts {folder / 'prompts.jsonl'} --outputs {folder / 'outputs.jsonl'}"
        )
    say(f"report written to {options.output / REPORT}")


def check_table(
    table: Annotated[Path, typer.Argument(help="CSV, TSV or YAML with win, tie and loss in %")],
) -> None:
    """Point out the faults of a published win/tie/loss table: cells that do not sum to 100, numbers that are none.

    Ends with status 1 where there is a fault.

    Example: zhongjing evaluate check-table published.csv
    """
    from training.evaluation.published import lines_of, read_published

    cells = read_published(table)
    for line in lines_of(cells, table):
        say(line)
    if any(cell.fault for cell in cells):
        raise typer.Exit(FAULTY)
