"""Commands of this room: dialogues held against the graph, and said what they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.versions_cli import OptionalGraph, Out, Processes, Source
from foundation.cli import say, warn
from foundation.errors import ZhongjingError


def add_commands(corpus: typer.Typer) -> None:
    """Mount these commands in the room's group."""
    for name, command in (
        ("match", match_set),
        ("match review", review_match),
        ("decide", decide_set),
        ("classify", classify_set),
    ):
        corpus.command(name)(command)


def match_set(
    source: Source,
    out: Out,
    graph: Annotated[Path, typer.Option("--graph", help="Folder of a built knowledge graph.")],
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Replace an OUT that was matched with another version of the graph.")
    ] = False,
    processes: Processes = None,
) -> None:
    """Link every turn to the graph and check the doctors' statements; contradictions go to review.jsonl.

    What is there already, of the same dialogues and graph, is kept. See also: corpus match review.

    Example: zhongjing corpus match work/dedup --graph kg --out work/match
    """
    from corpus.matching import match

    say(match(source, graph, out, processes=processes, reuse=True, rebuild=rebuild).line())


def decide_set(
    source: Source,
    out: Out,
    decisions: Annotated[Path, typer.Option(help="decisions.jsonl of `label-studio review pull`.")],
    processes: Processes = None,
) -> None:
    """Apply what people decided about turns held up for review: stand, corrected words, or the dialogue goes.

    A decision about other words than a turn has now is counted and not applied. Match the outcome again.

    Example: zhongjing corpus decide work/match --decisions decisions.jsonl --out work/decide
    """
    from corpus.decisions import decide

    say(decide(source, decisions, out, processes=processes).line())


def classify_set(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="IN…", help="Folder of a dialogue set; with --train raw files that name departments."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write the new dialogue set to.")] = None,
    train: Annotated[bool, typer.Option("--train", help="Train a model on the files, and test it on a fifth.")] = False,
    model: Annotated[
        Path | None, typer.Option("--model", help="Folder of a trained model; the shipped one if left out.")
    ] = None,
    graph: OptionalGraph = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="How sure a department must be to be filled in where none is stated.")
    ] = 0.0,
    processes: Processes = None,
) -> None:
    """Say of each dialogue its department, scenario, proactive inquiry, completeness and structure.

    A department that the file states stays. With --train a model is trained on raw files (CMtMedQA, tables with a
    column department …), tested on the fifth that a hash holds back, and written to --model with a page beside it.

    Example: zhongjing corpus classify work/match --graph kg --out work/classify

    Example: zhongjing corpus classify --train cmtmedqa.json more.csv --graph kg --model models/departments
    """
    if train:
        if model is None:
            raise ZhongjingError("a folder for the model is missing", hint="name one with --model")
        _train(sources, model, graph)
        return
    from corpus.classification.classify import ClassifyOptions, classify
    from corpus.matching import other_graph

    if out is None or len(sources) != 1:
        raise ZhongjingError("one folder of dialogues and --out are needed", hint="or give --train to train on files")
    options = ClassifyOptions(model=None if model is None else str(model), min_confidence=min_confidence)
    if graph is not None and (difference := other_graph(sources[0], graph)):
        warn(f"warning: {difference}")
    say(classify(sources[0], out, graph=graph, options=options, processes=processes).line())


def _train(files: list[Path], model: Path, graph: Path | None) -> None:
    from corpus.classification.teaching import report_of, teach

    taught = teach(files, model, graph=graph)
    for line in taught.lines():
        say(line)
    for line in taught.warnings():
        warn(f"warning: {line}")
    say(f"model {model}, report {report_of(model)}")


def review_match(
    source: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that `corpus match` wrote.")],
    show: Annotated[int, typer.Option(min=0, help="How many statements to show.")] = 20,
    relation: Annotated[str | None, typer.Option(help="Only such claims, for instance 适应症.")] = None,
) -> None:
    """Show what the graph contradicts: the doctor's words, the claim, and the triples against it with file and line.

    The words shown are of the consultations themselves.

    Example: zhongjing corpus match review work/match --show 10 --relation 适应症
    """
    from corpus.contradictions import queue

    for line in queue(source, show, relation):
        say(line)
