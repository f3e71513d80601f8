"""Commands about curation reviews in Label Studio, and what all commands about it share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotation.identity.cli import DatabaseUrl
from foundation.cli import group, say, warn

if TYPE_CHECKING:
    from annotation.label_studio.pull import Pulled

Data = Annotated[Path, typer.Option(help="Folder where tokens and the local server are kept.")]
Url = Annotated[str | None, typer.Option("--url", help="Which Label Studio; default: the one connected to last.")]
Name = Annotated[str, typer.Option(help="Name of the review.")]
HERE = Path("zhongjing-data")
review = group("Turns that were held up, reviewed there by people.")


@review.command("push")
def push(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A set with a review queue: matched or rewritten.")],
    name: Name,
    language: Annotated[str, typer.Option(help="Language of the interface: zh or en.")] = "zh",
    url: Url = None,
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Bring a set's review queue to a project: contradicted statements, rewrites that failed their checks.

    Example: zhongjing label-studio review push work/match --name curation-1
    """
    from annotation.database import open_database
    from annotation.label_studio.review import push_review

    pushed = push_review(open_database(database), data, source, name=name, language=language, url=url)
    for line in pushed.warnings:
        warn(line)
    done = ", ".join(f"{count} {what}" for what, count in pushed.done.items()) or "nothing to do"
    say(f"review {name} at {pushed.url}: {pushed.turns} turns ({done})")


@review.command("pull")
def pull_decisions(
    name: Name,
    out: Annotated[Path, typer.Option(help="File of decisions to write, for `corpus decide`.")],
    url: Url = None,
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Bring back what was decided, checked, as a file that the next data version applies.

    Example: zhongjing label-studio review pull --name curation-1 --out decisions.jsonl
    """
    from annotation.database import open_database
    from annotation.label_studio.pull import pull
    from annotation.label_studio.review import write_decisions

    base = open_database(database)
    report(pull(base, data, review=name, url=url))
    say(f"{out}: {write_decisions(base, name, out, url)} decisions")


def report(pulled: Pulled) -> None:
    """Tell what a pull saw."""
    from annotation.label_studio.checks import REASONS

    for line in pulled.warnings:
        warn(line)
    for reason, count in pulled.quarantined.items():
        warn(f"quarantined: {count} x {REASONS[reason][1]}")
    held = sum(pulled.quarantined.values())
    say(f"{pulled.projects} projects: {pulled.used} used, {held} quarantined, {pulled.deleted} deletions")
