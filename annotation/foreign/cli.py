"""The command that takes in rankings of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from annotation.identity.cli import DatabaseUrl
from foundation.cli import say, warn


def import_rankings(
    files: Annotated[
        list[Path], typer.Argument(help="TSV of RLHF-Label-Tool and its input file, JSON of Argilla or Label Studio.")
    ],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Campaign; may be left out where there is one.")
    ] = None,
    expert: Annotated[str | None, typer.Option(help="Whose rankings these are, where the files do not say.")] = None,
    known_as: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="THERE=HERE", help="Who somebody in the files is here; repeatable."),
    ] = None,
    in_order_of_ids: Annotated[
        bool, typer.Option("--in-order-of-ids", help="RLHF-Label-Tool showed the answers in the order of their ids.")
    ] = False,
    rejects: Annotated[Path | None, typer.Option(help="JSON lines file for what is refused.")] = None,
    database: DatabaseUrl = None,
) -> int:
    """Take rankings made with another tool into a campaign; the format is found by itself.

    RLHF-Label-Tool stores the inverse permutation of the ranks it is given, which is undone. Ends with status 1 where
    a line was refused.

    Example: zhongjing rank import output_result.tsv input_file.json --campaign ranking --expert 李医生
    """
    from annotation.campaigns.campaigns import find_campaign
    from annotation.database import open_database
    from annotation.foreign.importing import Terms
    from annotation.foreign.importing import import_rankings as run
    from foundation.rejects import write_rejects

    pairs = [text.partition("=") for text in known_as or []]
    terms = Terms(expert=expert, experts={there: here for there, _, here in pairs}, in_order_of_ids=in_order_of_ids)
    with open_database(database).write() as session:
        done = run(session, find_campaign(session, campaign), files, terms)
    for row in done.refused:
        warn(f"{row.file}:{row.line}: {row.reason}")
    if rejects is not None:
        write_rejects(rejects, done.refused)
    simulated = f" ({done.simulated} SIMULATED)" if done.simulated else ""
    say(f"{done.stored} rankings imported{simulated}, {done.already} were there already, {len(done.refused)} refused")
    return 1 if done.refused else 0
