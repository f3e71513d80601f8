"""Commands of this room: the steps of curation, from raw files to a deduplicated set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus import learning_cli, matching_cli, versions_cli
from corpus.versions_cli import OptionalGraph, OptionalKey, Out, Processes, Source
from foundation.cli import group, say, warn
from foundation.errors import ZhongjingError

UNREAD = 1

Threshold = Annotated[float, typer.Option(help="Jaccard similarity of 3-gram sets from which two are copies.")]
OptionalTagger = Annotated[
    str | None, typer.Option("--tagger", help="Find more names with a tagger: lac (pip install 'zhongjing\\[deid]').")
]

corpus = group("Consultations from raw files to frozen versions and prompts.")


def add_commands(app: typer.Typer) -> None:
    """Mount this room's commands."""
    versions_cli.add_commands(app, corpus)
    matching_cli.add_commands(corpus)
    learning_cli.add_commands(corpus)
    app.add_typer(corpus, name="corpus")


@corpus.command("import")
def import_raw(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Raw files of any known format, also gzipped.")],
    out: Out,
    processes: Processes = None,
) -> None:
    """Read raw consultations; format and encoding are found by content.

    Broken rows and files go to rejects.jsonl with file, line and reason; the good ones go on. Exit status: 0 every
    file was read to its end, 1 a whole file or the rest of one could not be read (what could is in OUT), 2 nothing
    could be read and nothing was written, 130 interrupted.

    Example: zhongjing corpus import dialogues.jsonl more.csv --out work/import
    """
    from corpus.importing import import_files
    from corpus.sets import REJECTS

    faults: list[ZhongjingError] = []
    result = import_files(files, out, on_fault=faults.append, processes=processes)
    say(result.line())
    for fault in faults:
        warn(f"warning: {fault}")
    if left_out := sum(result.rejected.values()):
        warn(f"warning: {left_out:,} left out; each with file, line and reason in {out / REJECTS}")
    if faults:
        raise typer.Exit(UNREAD)


@corpus.command("normalise")
def normalise_set(source: Source, out: Out, processes: Processes = None) -> None:
    """Bring width, script, punctuation and space to one form and drop platform marks; doses stay as they are.

    Example: zhongjing corpus normalise work/import --out work/normalise
    """
    from corpus.normalise import normalise

    say(normalise(source, out, processes=processes).line())


@corpus.command("deidentify")
def deidentify_set(
    source: Source,
    out: Out,
    graph: OptionalGraph = None,
    tagger: OptionalTagger = None,
    key: OptionalKey = None,
    audit: Annotated[bool, typer.Option("--audit", help="Print samples of each kind, with the spans masked.")] = False,
    processes: Processes = None,
) -> None:
    """Replace personal data by surrogates such as [电话1], the same throughout a dialogue.

    With a graph, names that it knows are taken for medical ones, not for people. Without a key nothing can be put
    back; with one, `corpus reidentify` can.

    Example: zhongjing corpus deidentify work/normalise --out work/deidentify --graph kg --key secret/key --audit
    """
    from corpus.privacy.deidentify import Deidentify, deidentify
    from corpus.privacy.originals import load_key, originals_beside, refuse_inside, seal

    if key is not None:
        refuse_inside(key, out)
        load_key(key, make=True)
    say(deidentify(source, out, graph=graph, tagger=tagger, processes=processes).line())
    if key is not None:
        originals = originals_beside(key, out)
        say(f"sealed the original turns of {seal(source, out, key, originals):,} dialogues in {originals}")
    if audit:
        from corpus.privacy.audit import audit as audited

        for line in audited(source, Deidentify(graph, tagger)):
            say(line)


@corpus.command("reidentify")
def reidentify_set(
    source: Source,
    out: Out,
    key: Annotated[Path, typer.Option("--key", help="Key file given to `corpus deidentify`.")],
    originals: Annotated[Path, typer.Option("--originals", help="File of sealed turns that lies beside the key.")],
) -> None:
    """Put the original turns back into a de-identified set, or into any later one whose turns are still the same.

    Example: zhongjing corpus reidentify work/filter --out open --key secret/key \\
    --originals secret/deidentify.originals.jsonl
    """
    from corpus.privacy.originals import reidentify

    say(reidentify(source, out, key=key, originals=originals).line())


@corpus.command("deidentify-score")
def deidentify_score(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE…]", help="Marked texts: {kind|words}, a turn a line. The project's own if none."),
    ] = None,
    graph: OptionalGraph = None,
    tagger: OptionalTagger = None,
) -> None:
    """Recall and precision of de-identification for each kind, on texts with personal data marked by hand.

    Example: zhongjing corpus deidentify-score --graph kg --tagger lac
    """
    from corpus.privacy.deidentify import Deidentify, spans_in
    from corpus.privacy.labelled import HALVES, measure, parse, read_labelled, shipped, table

    known, names = Deidentify(graph, tagger).open()
    marked = {str(path): read_labelled(path) for path in files} if files else {half: shipped(half) for half in HALVES}
    for name, text in marked.items():
        say(name)
        for line in table(measure(parse(text), lambda texts: spans_in(texts, known=known, tagger=names))):
            say(line)


@corpus.command("filter")
def filter_set(
    source: Source,
    out: Out,
    min_chars: Annotated[int, typer.Option(min=0, help="Characters a dialogue must have in all.")] = 8,
    min_han_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of Chinese characters among letters, 0 to 1.")
    ] = 0.3,
    max_sales_marks: Annotated[
        int, typer.Option(min=0, help="Marks of selling from which it is an advertisement.")
    ] = 3,
    report: Annotated[
        bool, typer.Option("--report", help="Print for each reason its count, share and sample ids (never text).")
    ] = False,
    processes: Processes = None,
) -> None:
    """Leave out what teaches nothing, or harm, each for a named reason that is counted and sampled.

    Reasons: no_doctor_turn, garbled, not_chinese, unsafe_content, advertisement, goodbye_only, too_short,
    nothing_medical.

    Example: zhongjing corpus filter work/deidentify --out work/filter --min-chars 12 --report
    """
    from corpus.filters import FilterOptions, filter_dialogues

    options = FilterOptions(min_chars=min_chars, min_han_share=min_han_share, max_sales_marks=max_sales_marks)
    result = filter_dialogues(source, out, options=options, processes=processes)
    say(result.line())
    if report:
        for reason, count in sorted(result.rejected.items(), key=lambda item: -item[1]):
            say(f"{reason:<16}{count:>9,}  {count / result.read:>7.2%}  e.g. {', '.join(result.samples[reason])}")


@corpus.command("dedup")
def dedup_set(
    source: Source,
    out: Out,
    threshold: Threshold = 0.5,
    against: Annotated[
        Path | None, typer.Option(help="Frozen version: what is like one of its dialogues goes, by stored signatures.")
    ] = None,
    exclude: Annotated[
        Path | None, typer.Option(help="Test set (raw file, set or version): whatever is like an item of it goes.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="Source to keep rather than others; may be repeated, the best first.")
    ] = None,
) -> None:
    """Remove exact and near copies; each removal is verified against its keeper and written to duplicates.jsonl.

    Copies that contradict each other in a number (another dose, another age), or that give one answer to different
    questions, are flagged and stay. See also: corpus dedup review.

    Example: zhongjing corpus dedup work/filter --out work/dedup --threshold 0.5 --exclude benchmark.json
    """
    from corpus.deduplication.dedup import dedup

    say(dedup(source, out, threshold=threshold, against=against, exclude=exclude, prefer=prefer or ()).line())


@corpus.command("dedup review")
def review_dedup(
    source: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that `corpus dedup` wrote.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the set with the new decisions.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Another threshold.")] = None,
    restore: Annotated[list[str] | None, typer.Option(help="Id of a removed dialogue to keep; repeatable.")] = None,
    against: Annotated[Path | None, typer.Option(help="The version it was compared with, where there was one.")] = None,
    exclude: Annotated[Path | None, typer.Option(help="The test set it was freed of, where there was one.")] = None,
    show: Annotated[int, typer.Option(min=0, help="How many pairs to show, nearest to the threshold first.")] = 20,
) -> None:
    """Show borderline pairs, differences marked; restore pairs or take another threshold, without signing anew.

    The texts shown are patients' own. With --restore or --threshold the outcome is written to --out.

    Example: zhongjing corpus dedup review work/dedup --restore d-0123456789abcdef --threshold 0.6 --out work/reviewed
    """
    from corpus.deduplication.review import borderline, review, side_by_side
    from corpus.deduplication.stock import Others

    if threshold is None and not restore:
        for line in side_by_side(source, borderline(source, show)):
            say(line)
        return
    if out is None:
        raise ZhongjingError("a folder for the outcome is missing", hint="name one with --out")
    say(review(source, out, threshold=threshold, restore=restore or (), others=Others(against, exclude)).line())
