"""Commands about consent: withdraw it, give it again, list what was stated."""

from __future__ import annotations

from typing import Annotated

import typer

from annotation.identity.cli import DatabaseUrl
from foundation.cli import group, say

consents = group("Consent of experts and of those whose words are shown; releases honour its withdrawal.")

Kind = Annotated[str, typer.Argument(help="expert, dialogue or dataset.")]
Subject = Annotated[str, typer.Argument(help="Name of the expert, id of the dialogue, or name of the version.")]
Note = Annotated[str, typer.Option(help="Why, or where it is written down.")]


@consents.command("withdraw")
def withdraw(kind: Kind, subject: Subject, note: Note = "", database: DatabaseUrl = None) -> None:
    """Leave an expert's rankings, or a dialogue's prompts, or all of a data set, out of every release from now on.

    Example: zhongjing consent withdraw dialogue d-5f0c2a9e --note "letter of 3 May"
    """
    _state(kind, subject, note, database, given=False)


@consents.command("give")
def give(kind: Kind, subject: Subject, note: Note = "", database: DatabaseUrl = None) -> None:
    """Note that consent which was withdrawn is given again.

    Example: zhongjing consent give expert 李医生
    """
    _state(kind, subject, note, database, given=True)


@consents.command("list")
def listed(database: DatabaseUrl = None) -> None:
    """Show what was stated about consent, the oldest first.

    Example: zhongjing consent list
    """
    from annotation.database import open_database
    from annotation.identity.consents import stated_consents

    with open_database(database).read() as session:
        for row in stated_consents(session):
            state = "given" if row.given else "withdrawn"
            say(f"{row.created_at:%Y-%m-%d} {state:<9} {row.kind:<8} {row.subject}  {row.note}".rstrip())


def _state(kind: str, subject: str, note: str, database: str | None, *, given: bool) -> None:
    from annotation.database import open_database
    from annotation.identity.consents import state_consent

    with open_database(database).write() as session:
        state_consent(session, kind, subject, given=given, note=note)
    say(f"consent of {kind} {subject} is {'given' if given else 'withdrawn'}")
