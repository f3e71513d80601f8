"""Commands about people: add, invite, list, let go and come back."""

from __future__ import annotations

from typing import Annotated

import typer

from foundation.cli import group, say
from foundation.errors import ZhongjingError

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="Database; default $ZHONGJING_DATABASE_URL or sqlite:///zhongjing.db."
    ),
]
people = group("People who may log in.")


@people.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name to log in with.")],
    role: Annotated[str, typer.Option(help="expert, senior, curator, engineer or admin.")] = "expert",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    database: DatabaseUrl = None,
) -> None:
    """Add a person who may log in; asks for the password.

    Example: zhongjing user add 李医生 --role expert
    """
    from annotation.database import open_database
    from annotation.identity.people import add_user

    password = _password(from_stdin=password_stdin)
    with open_database(database).write() as session:
        add_user(session, name=name, role=role, password=password)
    say(f"added {role} {name}")


@people.command("invite")
def invite(
    name: Annotated[str, typer.Argument(help="Name the person will log in with.")],
    role: Annotated[str, typer.Option(help="expert, senior, curator, engineer or admin.")] = "expert",
    days: Annotated[int, typer.Option(min=1, max=90, help="Days the link works.")] = 7,
    public_url: Annotated[
        str, typer.Option(envvar="ZHONGJING_PUBLIC_URL", help="Address of the service as browsers know it.")
    ] = "http://127.0.0.1:8000",
    database: DatabaseUrl = None,
) -> None:
    """Print a link with which one person chooses a password, once.

    Example: zhongjing user invite 李医生 --role expert
    """
    from datetime import timedelta

    from annotation.database import open_database
    from annotation.identity.invitations import invite as make

    with open_database(database).write() as session:
        _, token = make(session, name=name, role=role, by=None, lasts=timedelta(days=days))
    say(f"{public_url.rstrip('/')}/invitation/{token}")


@people.command("list")
def list_people(database: DatabaseUrl = None) -> None:
    """List everyone who works here.

    Example: zhongjing user list
    """
    from annotation.database import open_database
    from annotation.identity.people import people

    with open_database(database).read() as session:
        for user in people(session):
            say(f"{user.role:<9} {user.name}{'  [left]' if user.left_at else ''}")


@people.command("disable")
def disable(name: Annotated[str, typer.Argument(help="Who leaves.")], database: DatabaseUrl = None) -> None:
    """Let someone leave: her logins and keys end, what she ranked stays.

    Example: zhongjing user disable 李医生
    """
    _set_active(name, database, active=False)


@people.command("enable")
def enable(name: Annotated[str, typer.Argument(help="Who comes back.")], database: DatabaseUrl = None) -> None:
    """Let someone who left come back.

    Example: zhongjing user enable 李医生
    """
    _set_active(name, database, active=True)


def _set_active(name: str, database: str | None, *, active: bool) -> None:
    from annotation.database import open_database
    from annotation.identity.people import alter_user, named_user

    with open_database(database).write() as session:
        alter_user(session, named_user(session, name).id, active=active, by=None)
    say(f"{name} {'is back' if active else 'has left'}")


def _password(*, from_stdin: bool) -> str:
    import sys
    from getpass import getpass

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ZhongjingError("no terminal to ask for the password", hint="pipe it in with --password-stdin")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise ZhongjingError("the two passwords differ")
    return password
