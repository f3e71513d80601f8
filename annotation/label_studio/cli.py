"""Commands about Label Studio as a second front."""

from __future__ import annotations

from typing import Annotated

import typer

from annotation.identity.cli import DatabaseUrl
from annotation.label_studio.review_cli import HERE, Data, Url, report, review
from foundation.cli import group, say, warn

CampaignName = Annotated[str | None, typer.Option("--campaign", help="Campaign; may be left out where there is one.")]
label_studio = group("Label Studio as a second front where experts rank.")
label_studio.add_typer(review, name="review")


@label_studio.command("up")
def up(
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0: any free one; default: as before, or 8080."),
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Where it sends webhooks: the address of `zhongjing serve`.")
    ] = "http://127.0.0.1:8000",
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Start a Label Studio on this machine, in an environment of its own, and connect to it.

    The first time it is installed (about 1 GB, some minutes). It goes on running: `down` stops it.

    Example: zhongjing label-studio up
    """
    from annotation.database import open_database
    from annotation.label_studio.connection import connect
    from annotation.label_studio.environment import VERSION
    from annotation.label_studio.local import ADMIN, LocalServer

    opened = open_database(database)
    server = LocalServer(data)
    running = server.up(port)
    connect(opened, data, running.url, server.token(running), service)
    say(f"Label Studio {VERSION} runs at {running.url} and is connected")
    say(f"its administrator is {ADMIN}; the password is in {server.folder / 'server.json'}")


@label_studio.command("down")
def down(data: Data = HERE) -> None:
    """Stop the Label Studio that `up` started; everything in it stays.

    Example: zhongjing label-studio down
    """
    from annotation.label_studio.local import LocalServer

    say("stopped" if LocalServer(data).down() else "it did not run")


@label_studio.command("connect")
def connect_to(
    url: Annotated[str, typer.Option("--url", help="Its address.")],
    token: Annotated[
        str,
        typer.Option(
            envvar="ZHONGJING_LABEL_STUDIO_TOKEN", help="A personal access token, or a legacy one; found by trying."
        ),
    ],
    service: Annotated[
        str | None, typer.Option(help="Our own address as it reaches us, for webhooks; without it, polling alone.")
    ] = None,
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Work with a Label Studio that is there already.

    A token in the environment variable is seen by nobody who lists processes.

    Example: zhongjing label-studio connect --url https://labels.example.org --token eyJ…
    """
    from annotation.database import open_database
    from annotation.label_studio.connection import connect

    server = connect(open_database(database), data, url, token, service)
    say(f"connected to Label Studio {server.version} at {server.url} with a {server.token_kind} token")


@label_studio.command("invite")
def invite(
    name: Annotated[str, typer.Argument(help="An expert of ours.")],
    email: Annotated[str, typer.Option(help="The address she signs up with there.")],
    url: Url = None,
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Note the address an expert has there, and print the link by which she signs up with it.

    Example: zhongjing label-studio invite 李医生 --email li@example.org
    """
    from annotation.database import open_database
    from annotation.label_studio.connection import current_server, enrol, opened, recognise

    base = open_database(database)
    with base.read() as session:
        server = current_server(session, url)
    with opened(server, data) as client:
        link, members = client.invitation(), client.members()
    with base.write() as session:
        enrol(session, server, name, email)
        waiting = recognise(session, server, members)
    say(link if name in waiting else f"{name} has signed up there already")


@label_studio.command("doctor")
def doctor(url: Url = None, data: Data = HERE, database: DatabaseUrl = None) -> None:
    """Say what is wrong with a Label Studio and how to mend it; ends with status 1 where something is.

    Example: zhongjing label-studio doctor
    """
    from annotation.database import open_database
    from annotation.label_studio.doctor import examine

    wrong = 0
    for finding in examine(open_database(database), data, url):
        wrong += not finding.well
        say(f"{'ok   ' if finding.well else 'WRONG'} {finding.what}")
        if not finding.well and finding.mend:
            say(f"      {finding.mend}")
    raise typer.Exit(1 if wrong else 0)


@label_studio.command("push")
def push_campaign(
    campaign: CampaignName = None,
    language: Annotated[str, typer.Option(help="Language of the interface: zh or en.")] = "zh",
    url: Url = None,
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Bring a campaign to Label Studio: a project for each expert. Run again, it mends and completes.

    Example: zhongjing label-studio push --campaign ranking
    """
    from annotation.database import open_database
    from annotation.label_studio.push import push

    pushed = push(open_database(database), data, campaign=campaign, language=language, url=url)
    for line in pushed.warnings:
        warn(line)
    done = ", ".join(f"{count} {what}" for what, count in pushed.done.items() if count) or "nothing to do"
    say(f"campaign {pushed.campaign} at {pushed.url}: {pushed.projects} projects, {pushed.tasks} tasks ({done})")


@label_studio.command("pull")
def pull_rankings(
    campaign: Annotated[str | None, typer.Option("--campaign", help="Only this campaign.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C; webhooks say where to look.")] = False,
    every: Annotated[float, typer.Option(min=1, help="With --watch: seconds between looks at everything.")] = 60,
    url: Url = None,
    data: Data = HERE,
    database: DatabaseUrl = None,
) -> None:
    """Copy what was ranked there, check it, and store what holds as rankings.

    Example: zhongjing label-studio pull --campaign ranking --watch
    """
    from annotation.database import open_database
    from annotation.label_studio import pull

    base = open_database(database)
    if not watch:
        report(pull.pull(base, data, campaign=campaign, url=url))
        return
    for seen in pull.watch(base, data, campaign=campaign, url=url, every=every):
        if isinstance(seen, Exception):
            warn(f"{seen.args[0]}; trying again")
        elif seen.used or seen.deleted or seen.quarantined:
            report(seen)


@label_studio.command("quarantine")
def quarantine(database: DatabaseUrl = None) -> None:
    """List what was seen there and not used, with the reason.

    Example: zhongjing label-studio quarantine
    """
    from annotation.database import open_database
    from annotation.label_studio.checks import REASONS
    from annotation.label_studio.quarantine import quarantined

    with open_database(database).read() as session:
        for row in quarantined(session):
            reason = REASONS[row.reason][1]
            say(f"{row.number:>6}  {row.seen_at:%Y-%m-%d %H:%M}  {row.expert or row.name}: {reason}")


@label_studio.command("accept")
def accept(
    number: Annotated[int, typer.Argument(help="Its number in the quarantine.")],
    reason: Annotated[str, typer.Option(help="Why it may be used; kept in the audit log.")],
    database: DatabaseUrl = None,
) -> None:
    """Use what is in quarantine after all, as the expert's ranking. It must still be a ranking of what she was shown.

    Example: zhongjing label-studio accept 17 --reason "she confirmed it by telephone"
    """
    from annotation.database import open_database
    from annotation.label_studio.quarantine import accept

    with open_database(database).write() as session:
        expert = accept(session, number, reason)
    say(f"{number} is used as a ranking of {expert}")
