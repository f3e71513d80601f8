"""Commands of this room: what models learn from. Rewritten dialogues, mixes for fine-tuning, texts for pre-training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from corpus.versions_cli import Source
from foundation.cli import say, warn

Graph = Annotated[Path, typer.Option("--graph", "--kg", help="Folder of a built knowledge graph.")]


def add_commands(corpus: typer.Typer) -> None:
    """Mount these commands in the room's group."""
    for name, command in (("rewrite", rewrite_set), ("mix", mix_rows), ("pretrain-text", pretrain_text)):
        corpus.command(name)(command)


def rewrite_set(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="Folder to write the rewritten dialogue set to.")],
    graph: Graph,
    base_url: Annotated[str, typer.Option("--base-url", help="Address of an OpenAI-compatible endpoint, up to /v1.")],
    model: Annotated[str, typer.Option("--model", help="Name of the model there.")],
    key_variable: Annotated[
        str | None, typer.Option("--key-variable", help="Environment variable that holds the key; none if left out.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, help="Turns asked for at once.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one whole answer.")] = 120.0,
    retries: Annotated[
        int, typer.Option(min=0, help="Times a request is made again after a timeout, 429, 5xx or nonsense.")
    ] = 5,
    backoff: Annotated[
        float, typer.Option(min=0, help="Seconds before the first of them, doubled each time; Retry-After counts.")
    ] = 1.0,
    attempts: Annotated[int, typer.Option(min=1, help="Answers a turn may get, the later ones with reasons.")] = 3,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of an answer at most.")] = 1024,
    temperature: Annotated[float, typer.Option(min=0, help="Temperature of the answers; 0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed sent with the first attempt; the next one counts on.")] = 0,
    context: Annotated[int, typer.Option(min=0, help="Messages before a turn that are shown with it.")] = 2,
    style: Annotated[
        Path | None, typer.Option(help="Text file with another instruction; see corpus/data/style.txt.")
    ] = None,
    price_in: Annotated[float, typer.Option(min=0, help="Price of a million prompt tokens, in any currency.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Price of a million answer tokens, in the same.")] = 0.0,
    identified: Annotated[
        bool, typer.Option("--identified", help="Send a set that was not de-identified all the same.")
    ] = False,
) -> None:
    """Bring doctors' turns to one professional, friendly style, every fact checked; patients' words stay as they are.

    A rewrite that loses, adds or changes a fact is asked for again with the reasons; then the original stays, flagged
    in rewrites.jsonl and in the review queue (corpus match review OUT). Killed, the same command goes on.

    Example: zhongjing corpus rewrite work/match --out work/rewrite --graph kg --base-url http://127.0.0.1:8000/v1 \\
    --model qwen3-32b --price-in 2 --price-out 6
    """
    from corpus.rewriting.rewrite import rewrite
    from corpus.rewriting.rewrites import RewriteOptions
    from foundation.endpoint import Endpoint, Usage

    endpoint = Endpoint(
        base_url=base_url,
        model=model,
        key_variable=key_variable,
        connections=connections,
        timeout=timeout,
        retries=retries,
        backoff=backoff,
    )
    options = RewriteOptions(
        attempts=attempts,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        context=context,
        price_in=price_in,
        price_out=price_out,
        style=str(style) if style is not None else None,
    )

    def tell(usage: Usage) -> None:
        warn(f"this run: {usage.requests:,} requests, {usage.retries:,} of them again")

    warn(f"dialogues go to {urlsplit(base_url).hostname or base_url}")
    say(rewrite(source, graph, out, endpoint, options=options, identified=identified, on_usage=tell).line())


def mix_rows(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe in YAML.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the mix to.")],
) -> None:
    """Mix conversations of four kinds in given shares for supervised fine-tuning; the same bytes for the same seed.

    Kinds: single-turn, multi-turn, nlp-task, general. Sources are sets, versions or raw files. Where a kind has too
    few rows the numbers are said, and the recipe decides: shortfall: refuse, shrink or fill. See docs/mixing.md.

    Example: zhongjing corpus mix mix.yaml --out work/mix
    """
    from corpus.mixing.mix import mix

    for line in mix(recipe, out).lines():
        say(line)


def pretrain_text(
    out: Annotated[Path, typer.Option("--out", help="Folder to write the texts to.")],
    documents: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DOCUMENT…]", help="Text, Markdown or JSON files (.gz too), case notes, dialogue sets."
        ),
    ] = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", "--kg", help="Folder of a built knowledge graph to put into words.")
    ] = None,
    longest: Annotated[int, typer.Option(min=50, help="Characters of a text at most.")] = 1_000,
    shortest: Annotated[int, typer.Option(min=0, help="Characters of a piece of a document at least.")] = 20,
    threshold: Annotated[
        float, typer.Option(min=0.05, max=1, help="Jaccard similarity of 3-gram sets from which two pieces are copies.")
    ] = 0.7,
    one_way: Annotated[bool, typer.Option("--one-way", help="Say a fact of its subject alone.")] = False,
    identified: Annotated[
        bool, typer.Option("--identified", help="Leave personal data in the documents as they are.")
    ] = False,
) -> None:
    """Texts to pre-train on: the triples of a graph in words, grouped by entity, and documents in pieces.

    Personal data in documents are replaced, exact and near copies left out; every text says where it comes from.

    Example: zhongjing corpus pretrain-text --kg kg textbook.txt notes.jsonl --out work/texts
    """
    from corpus.mixing.pretrain_text import TextOptions, write_texts

    options = TextOptions(
        longest=longest, shortest=shortest, threshold=threshold, both_ways=not one_way, identified=identified
    )
    for line in write_texts(graph, documents or [], out, options=options).lines():
        say(line)
