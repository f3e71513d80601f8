"""Commands of this room: build a graph, look into it, link and check text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Annotated, cast

import typer

from foundation.cli import group, say, warn
from foundation.errors import ZhongjingError

GraphFolder = Annotated[Path, typer.Argument(metavar="KG", help="Folder that `kg build` wrote.")]
Text = Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Text; left out: lines from stdin.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON line per text.")]
Exact = Annotated[bool, typer.Option("--exact", help="Leave out misspelt names.")]
Nested = Annotated[bool, typer.Option("--nested", help="Give the names inside longer ones as well.")]
_CHUNK = 1 << 16


def add_commands(app: typer.Typer) -> None:
    """Mount this room's commands."""
    graph = group("The medical knowledge graph: build, look up, link text to it, check statements against it.")
    for command in (build, stats, show, link, check, draw):
        graph.command(command.__name__)(command)
    app.add_typer(graph, name="kg")


def build(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Graph files: CSV, TSV, JSON, JSONL; gzip too.")],
    out: Annotated[Path, typer.Option("--out", metavar="KG", help="Folder to write.")],
    aliases: Annotated[Path | None, typer.Option("--aliases", metavar="FILE", help="JSON {alias: canonical}.")] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, tsv, cmekg, nested, spo, qasystem or ntriples; found by content if left out."
        ),
    ] = None,
) -> None:
    """Build a graph folder from files; what cannot be read is listed in KG/rejects.jsonl.

    Example: zhongjing kg build triples.csv cmekg.json --aliases aliases.json --out kg
    """
    from kg.building.build import build_graph

    counts = build_graph(files, out, aliases=aliases, format=format_).counts
    say(
        f"{out}: {counts['triples']:,} triples over {counts['entities']:,} entities, {counts['aliases']:,} aliases"
        f" ({counts['read']:,} statements, {counts['duplicates']:,} duplicates,"
        f" {counts['merged_inverses']:,} inverses merged, {counts['conflicts']:,} conflicts)"
    )
    rejected = counts["rejected"]
    if rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejected.items())
        warn(f"{sum(rejected.values()):,} rejected ({reasons}): see {out / 'rejects.jsonl'}")


def stats(
    graph: GraphFolder, as_json: Annotated[bool, typer.Option("--json", help="All counts as one JSON line.")] = False
) -> None:
    """Count a graph's entities by type and its triples by relation.

    Example: zhongjing kg stats kg
    """
    from foundation.jsonl import dump_json
    from kg.graph import KnowledgeGraph
    from kg.tables import stats_lines

    counts = KnowledgeGraph.open(graph).stats()
    if as_json:
        say(dump_json(counts).decode())
        return
    for line in stats_lines(counts):
        say(line)
    for name, file in (("conflicts", "conflicts.jsonl"), ("rejected", "rejects.jsonl")):
        if counts[name]:
            say(f"{name}: listed in {graph / file}")


def show(
    graph: GraphFolder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or alias of an entity.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Facts to show of each relation; all if left out.")] = None,
) -> None:
    """Print what the graph knows of an entity: type, aliases, relations, and where each fact was stated.

    Example: zhongjing kg show kg 肺炎
    """
    from kg.card import card_lines, card_of
    from kg.graph import KnowledgeGraph

    for line in card_lines(card_of(KnowledgeGraph.open(graph), name), limit):
        say(line)


def link(
    graph: GraphFolder, text: Text = None, as_json: AsJson = False, exact: Exact = False, nested: Nested = False
) -> None:
    """Find the graph's names in text, misspelt ones too, with negation, doubt, whose and when; offsets in characters.

    Example: zhongjing kg link kg 没有发烧，是不是肺炎？ --json
    """
    from foundation.jsonl import dump_json
    from kg.graph import KnowledgeGraph
    from kg.linking.linker import EntityLinker
    from kg.tables import mention_lines

    linker = EntityLinker(KnowledgeGraph.open(graph), fuzzy=not exact, nested=nested)
    for texts in _texts(text):
        for mentions in linker.link_all(texts):
            if as_json:
                say(dump_json({"mentions": mentions}).decode())
            else:
                for line in mention_lines(mentions):
                    say(line)


def check(graph: GraphFolder, text: Text = None, as_json: AsJson = False) -> None:
    """Hold a doctor's statements against the graph: supported, contradicted or unknown, with the evidence.

    Example: zhongjing kg check kg 孕妇可以吃布洛芬
    """
    from foundation.jsonl import dump_json
    from kg.checking.checker import Checker
    from kg.graph import KnowledgeGraph
    from kg.tables import claim_lines

    checker = Checker(KnowledgeGraph.open(graph))

    def answer(line: str) -> Iterator[str]:
        claims = checker.check(line)
        return iter([dump_json({"claims": claims}).decode()]) if as_json else claim_lines(line, claims)

    _answer_each(text, answer)


def draw(
    graph: GraphFolder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or alias of an entity.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="HTML file to write.")],
    hops: Annotated[int, typer.Option(min=1, max=3, help="How far to go.")] = 1,
) -> None:
    """Draw what surrounds an entity as one self-contained HTML page.

    Example: zhongjing kg draw kg 肺炎 --hops 1 --out pneumonia.html
    """
    from kg.draw import draw as draw_page
    from kg.graph import KnowledgeGraph

    drawn = draw_page(KnowledgeGraph.open(graph), name, out, hops=hops)
    say(f"{out}: {drawn.shown:,} of {drawn.within:,} entities drawn")


def _answer_each(text: str | None, answer: Callable[[str], Iterator[str]]) -> None:
    """Answer the text, or each line of stdin."""
    for texts in _texts(text):
        for one in texts:
            for line in answer(one):
                say(line)


def _texts(text: str | None) -> Iterator[list[str]]:
    """The text; or the lines of stdin as they come, as many at once as are there, undecodable bytes and all."""
    if text is not None:
        yield [text]
        return
    import sys

    if sys.stdin.isatty():
        raise ZhongjingError("no text was given", hint="give a text, or lines on stdin")
    source, begun = cast(BufferedReader, sys.stdin.buffer), list[bytes]()
    while chunk := source.read1(_CHUNK):
        first, *others = chunk.split(b"\n")
        begun.append(first)
        if others:
            yield [_decoded(line) for line in (b"".join(begun), *others[:-1])]
            begun = [others[-1]]
    if any(begun):
        yield [_decoded(b"".join(begun))]


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")
