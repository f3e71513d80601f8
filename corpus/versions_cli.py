"""Commands of this room: frozen versions, the recipe that makes one, and the way back from a record to its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foundation.cli import say, warn

Source = Annotated[Path, typer.Argument(metavar="IN", help="Folder of a dialogue set.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write the new dialogue set to.")]
OptionalGraph = Annotated[Path | None, typer.Option("--graph", help="Folder of a built knowledge graph.")]
OptionalKey = Annotated[
    Path | None,
    typer.Option("--key", help="Key file (made where there is none); the original turns are sealed beside it."),
]
Processes = Annotated[
    int | None, typer.Option("--processes", min=1, help="Processes to use; as many as cores if left out.")
]


def add_commands(app: typer.Typer, corpus: typer.Typer) -> None:
    """Mount these commands: one on the app, the others in the room's group."""
    for name, command in (
        ("freeze", freeze_set),
        ("diff", diff_versions),
        ("card", show_card),
        ("sample", sample_version),
        ("build", build_recipe),
    ):
        corpus.command(name)(command)
    app.command("trace")(trace_id)


def freeze_set(
    source: Source,
    name: Annotated[str, typer.Option(help="Name of the dataset.")],
    versions: Annotated[Path, typer.Option("--versions", help="Folder of all versions.")] = Path("versions"),
    parent: Annotated[list[str] | None, typer.Option(help="Version this one grew from; may be repeated.")] = None,
    origins: Annotated[
        Path | None, typer.Option(help="YAML or JSON file with licence and consent of each source.")
    ] = None,
) -> None:
    """Freeze a set as the next version of a dataset, with a card; a version never changes again.

    A file of origins reads: cmtmedqa: {licence: Apache-2.0, consent: "not asked"}. What it does not say is unknown.

    Example: zhongjing corpus freeze work/match --name cmtmedqa --versions versions --origins origins.yaml
    """
    from corpus.versioning.origins import read_origins
    from corpus.versioning.versions import freeze

    known = read_origins(origins) if origins is not None else None
    say(freeze(source, versions, name, parents=parent or (), origins=known).line())


def diff_versions(
    old: Annotated[Path, typer.Argument(metavar="A", help="Folder of the older version.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="Folder of the newer version.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, with all ids, as one JSON object.")] = False,
) -> None:
    """Say what was added, removed and changed from one version to another, by department and reason.

    Example: zhongjing corpus diff versions/cmtmedqa-v1 versions/cmtmedqa-v2
    """
    from corpus.versioning.diff import diff
    from foundation.jsonl import dump_json

    difference = diff(old, new)
    for line in [dump_json(difference).decode()] if as_json else difference.lines():
        say(line)


def show_card(
    version: Annotated[Path, typer.Argument(metavar="VERSION", help="Folder of a frozen version.")],
) -> None:
    """Show the dataset card of a version, after checking that no file of it has changed since it was frozen.

    Example: zhongjing corpus card versions/cmtmedqa-v1
    """
    from corpus.versioning.versions import read_card

    say(read_card(version))


def sample_version(
    version: Annotated[Path, typer.Argument(metavar="VERSION", help="Folder of a frozen version (or of a set).")],
    out: Annotated[Path, typer.Option("--out", help="File to write the prompts to, as JSON lines.")],
    count: Annotated[int, typer.Option(help="How many prompts.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the draw; the same seed draws the same prompts.")] = 0,
    graph: OptionalGraph = None,
    proportional: Annotated[
        bool, typer.Option("--proportional", help="Keep the departments' shares instead of evening them out.")
    ] = False,
) -> None:
    """Draw prompts evenly from the departments, each ending on the last turn in which the patient asks.

    A department with too few gives all it has and the others make up for it, which is said. A thank-you, a goodbye or
    an answer to the doctor's question is never the end. With a graph, facts worth knowing stand beside each prompt.

    Example: zhongjing corpus sample versions/cmtmedqa-v1 --out prompts.jsonl --count 100 --seed 7 --graph kg
    """
    from corpus.matching import other_graph
    from corpus.sampling import sample_prompts

    if graph is not None and (difference := other_graph(version, graph)):
        warn(f"warning: {difference}")
    say(sample_prompts(version, out, count=count, seed=seed, graph=graph, proportional=proportional).line())


def build_recipe(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe in YAML.")],
    engine: Annotated[
        str,
        typer.Option(
            metavar="ray://HOST:PORT|ray|local",
            help="Where the steps run: this machine, or a Ray cluster (pip install 'zhongjing\\[ray]').",
        ),
    ] = "local",
    key: OptionalKey = None,
    processes: Processes = None,
) -> None:
    """Run all steps of a recipe, from raw files to a frozen version and a report; what is complete is reused.

    The recipe has the keys name, inputs, out, and optionally graph, aliases, texts, options (see docs/curation.md).
    On a cluster the result is the same to the byte, and all nodes must see the same files under the same paths (see
    docs/scale.md). The engine `ray` is the cluster that Ray finds by itself (RAY_ADDRESS, or one on this machine), or
    else a new one.

    Example: zhongjing corpus build recipe.yaml --engine ray://127.0.0.1:10001
    """
    from corpus.build import build

    built = build(recipe, engine=engine, key=key, processes=processes, on_stage=lambda result: say(result.line()))
    say(f"version {built.version}, report {built.report}")
    if built.originals is not None:
        say(f"sealed the original turns in {built.originals}")


def trace_id(
    identity: Annotated[str, typer.Argument(metavar="ID", help="A pair, output, prompt or dialogue.")],
    root: Annotated[Path, typer.Option(help="Folder to search.")] = Path(),
) -> None:
    """Walk from a preference pair, an output, a prompt or a dialogue back to the raw file and line.

    Example: zhongjing trace pair-0123456789abcdef --root demo-run
    """
    from corpus.trace import trace

    for line in trace(identity, root):
        say(line)
