"""Commands of this room: database, people, campaigns, export, the service and its worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from annotation.foreign.cli import import_rankings
from annotation.identity.cli import DatabaseUrl, people
from annotation.identity.consents_cli import consents
from annotation.label_studio.cli import label_studio
from foundation.cli import group, say, warn

CampaignName = Annotated[
    str | None, typer.Option("--campaign", help="Campaign by name or number; may be left out where there is one.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]


def add_commands(app: typer.Typer) -> None:
    """Mount this room's commands."""
    database = group("The database of the service.")
    database.command("upgrade")(upgrade)
    rank = group("Ranking campaigns: create, simulate, watch, close.")
    rank.command("create")(create)
    rank.command("simulate")(simulate)
    rank.command("import")(import_rankings)
    rank.command("status")(status)
    rank.command("close")(close)
    app.add_typer(database, name="db")
    database.callback()(_database)
    app.add_typer(people, name="user")
    app.add_typer(consents, name="consent")
    app.add_typer(rank, name="rank")
    app.add_typer(label_studio, name="label-studio")
    app.command("export")(export)
    app.command("serve")(serve)
    app.command("worker")(worker)


def _database() -> None:
    """The database of the service."""


def upgrade(database: DatabaseUrl = None) -> None:
    """Create the tables, or bring them up to date.

    Example: zhongjing db upgrade --database postgresql://zhongjing@localhost/zhongjing
    """
    from annotation.database import parse_url, shown
    from annotation.database import upgrade as migrate

    say(f"{shown(parse_url(database))} is at revision {migrate(database)}")


def create(
    prompts: Annotated[Path, typer.Option(help="prompts.jsonl of `corpus sample`.")],
    outputs: Annotated[Path, typer.Option(help="outputs.jsonl of `train generate`.")],
    experts: Annotated[
        str, typer.Option(help="Names between commas; all = all real experts, simulated = six simulated.")
    ] = "all",
    overlap: Annotated[int | None, typer.Option(min=1, help="Experts per prompt; default: every one of them.")] = None,
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Ask --min-overlap experts first; more only while a prompt is unsettled.")
    ] = False,
    min_overlap: Annotated[int, typer.Option(min=2, help="Experts asked first where --adaptive.")] = 3,
    adjudicate_below: Annotated[
        float, typer.Option(min=0, max=1, help="Kendall's W of a prompt under which a senior expert decides it.")
    ] = 0.5,
    gold: Annotated[
        Path | None, typer.Option(help="gold.jsonl: prompts whose order is known, for every expert.")
    ] = None,
    repeats: Annotated[float, typer.Option(help="Share of the prompts that come a second time, unannounced.")] = 0.05,
    dimensions: Annotated[
        str, typer.Option(help="overall, and any of safety, professionalism, fluency, between commas.")
    ] = "overall",
    guideline: Annotated[Path | None, typer.Option(help="The written rule; default: Zhongjing's own.")] = None,
    daily_goal: Annotated[int, typer.Option(min=1, help="Tasks a day that an expert aims at.")] = 40,
    break_minutes: Annotated[int, typer.Option(min=1, help="Minutes of work before a break is proposed.")] = 45,
    name: Annotated[str, typer.Option(help="Name of the campaign.")] = "ranking",
    seed: Seed = 0,
    database: DatabaseUrl = None,
) -> None:
    """Make ranking tasks of prompts and their answers, and give them to experts.

    Example: zhongjing rank create --prompts prompts.jsonl --outputs outputs.jsonl --experts all --overlap 3 --gold
    gold.jsonl
    """
    from annotation.campaigns.campaigns import create_campaign, described
    from annotation.campaigns.gold import read_gold
    from annotation.campaigns.guideline import read_guideline
    from annotation.campaigns.inputs import read_outputs, read_prompts
    from annotation.database import open_database
    from annotation.simulation.experts import experts_chosen

    asked, answers = read_prompts(prompts), read_outputs(outputs)
    with open_database(database).write() as session:
        people = experts_chosen(session, experts)
        campaign = create_campaign(
            session,
            name=name,
            prompts=asked,
            outputs=answers,
            experts=people,
            overlap=overlap or len(people),
            min_overlap=min_overlap if adaptive else None,
            adjudicate_below=adjudicate_below,
            seed=seed,
            guideline=read_guideline(guideline) if guideline else None,
            dimensions=[word.strip() for word in dimensions.split(",")],
            gold=read_gold(gold, asked, answers) if gold else (),
            repeats=repeats,
            daily_goal=daily_goal,
            break_minutes=break_minutes,
        )
        lines, warnings = described(session, campaign, len(people))
    for line in warnings:
        warn(line)
    for line in lines:
        say(line)


def close(campaign: CampaignName = None, database: DatabaseUrl = None) -> None:
    """End a campaign: nobody ranks in it any more, what is stored stays.

    Example: zhongjing rank close --campaign ranking
    """
    from annotation.campaigns.campaigns import close_campaign, find_campaign
    from annotation.database import open_database

    with open_database(database).write() as session:
        found = find_campaign(session, campaign)
        close_campaign(session, found)
    say(f"campaign {found.name} is closed")


def simulate(
    campaign: CampaignName = None,
    truth: Annotated[Path | None, typer.Option(help="JSON lines of output_id, quality; default: heuristic.")] = None,
    settle: Annotated[
        bool, typer.Option("--settle", help="Then let a simulated senior expert decide what they dispute.")
    ] = False,
    seed: Seed = 0,
    database: DatabaseUrl = None,
) -> None:
    """Let the simulated experts of a campaign rank what waits for them. They are no clinicians.

    Example: zhongjing rank simulate --campaign ranking --seed 7
    """
    from annotation.campaigns.campaigns import find_campaign
    from annotation.campaigns.inputs import read_truth
    from annotation.database import open_database
    from annotation.simulation.experts import simulate as run
    from annotation.simulation.senior import settle_disputes

    qualities = read_truth(truth) if truth else None
    with open_database(database).write() as session:
        found = find_campaign(session, campaign)
        done = run(session, found, seed=seed, truth=qualities)
        decided = settle_disputes(session, found, seed=seed, truth=qualities) if settle else 0
    if not done.rankings:
        warn("no simulated expert has anything left to rank here")
    if settle:
        say(f"{decided} disputed prompts decided by a SIMULATED senior expert")
    say(f"{done.rankings} SIMULATED rankings by {done.experts} simulated experts; {done.waiting} wait for real experts")


def status(campaign: CampaignName = None, database: DatabaseUrl = None) -> None:
    """Show who has ranked how much and how far the experts agree.

    Example: zhongjing rank status --campaign ranking
    """
    from annotation.campaigns.campaigns import find_campaign
    from annotation.database import open_database
    from annotation.status import status_lines

    with open_database(database).read() as session:
        for line in status_lines(session, find_campaign(session, campaign)):
            say(line)


def export(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    campaign: CampaignName = None,
    test_share: Annotated[float, typer.Option(help="Share of the dialogues in the test split.")] = 0.2,
    seed: Seed = 0,
    method: Annotated[
        str, typer.Option(help="How a consensus is found: ranked_pairs, borda or plackett_luce.")
    ] = "ranked_pairs",
    guideline_version: Annotated[
        str | None, typer.Option(help="Which version of the rule, where rankings follow several.")
    ] = None,
    database: DatabaseUrl = None,
) -> None:
    """Write a campaign's rankings and preferences in every form that trainers read, with a card and a manifest.

    Example: zhongjing export --campaign ranking --out release --seed 7
    """
    from annotation.campaigns.campaigns import find_campaign
    from annotation.consensus.methods import chosen_method
    from annotation.database import open_database
    from annotation.releases.exports import export as write

    with open_database(database).read() as session:
        release = write(
            session,
            find_campaign(session, campaign),
            out,
            test_share=test_share,
            seed=seed,
            method=chosen_method(method),
            guideline_version=guideline_version,
        )
    if release.single_opinions:
        warn(f"{release.single_opinions} prompts were ranked by one expert alone: an order, but no consensus")
    if release.left_out:
        warn(f"{release.left_out} prompts are left out: {out / 'left_out.jsonl'} says why")
    simulated = f", {release.simulated_judgements} of the judgements SIMULATED" if release.simulated_judgements else ""
    say(
        f"{out}: {release.prompts} prompts, {release.judgements} judgements, {release.pairs} pairs "
        f"({release.train_pairs} train, {release.test_pairs} test), {release.undecided_pairs} pairs undecided, "
        f"{release.undecided_prompts} prompts wait for a senior expert, {release.unranked} prompts unranked{simulated}"
    )


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    data: Annotated[Path, typer.Option(help="Folder that jobs read and write.")] = Path("zhongjing-data"),
    public_url: Annotated[
        str | None,
        typer.Option(envvar="ZHONGJING_PUBLIC_URL", help="Address behind a proxy; https makes cookies Secure."),
    ] = None,
    database: DatabaseUrl = None,
) -> None:
    """Serve the pages where experts rank, and the API.

    Example: zhongjing serve --port 8000
    """
    from annotation.web.server import run

    run(host, port, data=data, database_url=database, public_url=public_url)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what waits, then end.")] = False,
    data: Annotated[Path, typer.Option(help="Folder that jobs read and write.")] = Path("zhongjing-data"),
    lease: Annotated[float, typer.Option(min=1, help="Seconds of silence after which a job goes to another.")] = 60,
    database: DatabaseUrl = None,
) -> None:
    """Do the jobs submitted on the pages or by the API: import, deduplicate, match, build, export.

    Example: zhongjing worker --once
    """
    from datetime import timedelta

    from annotation.database import open_database
    from annotation.jobs.worker import work

    done = work(open_database(database), data=data, once=once, length=timedelta(seconds=lease))
    say(f"{done} jobs done")
