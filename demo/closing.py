"""The end of the road: the report and the table."""

from __future__ import annotations

import time

from corpus.records import Preference
from demo.figures import figure, share
from demo.report import write_report
from demo.road import Travelled
from demo.stages import StageLine
from foundation.cli import say
from foundation.jsonl import read_records


def close(travelled: Travelled) -> None:
    """Write `report.html`, print the table and say where things are."""
    start = time.monotonic()
    report = travelled.folder / "report.html"
    write_report(travelled, report)
    line = StageLine(stage="report", into=0, out=1, note=str(report), seconds=time.monotonic() - start)
    travelled.lines.append(line)
    say(f"{len(travelled.lines):>2}. report       {report}  [{line.seconds:.1f} s]")
    _print_table(travelled)


def _print_table(travelled: Travelled) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", title="The road", caption=f"everything is under {travelled.folder}")
    for name in ("in", "out", "seconds"):
        table.add_column(name, justify="right")
    for line in travelled.lines:
        seconds = "reused" if line.reused else f"{line.seconds:.1f}"
        table.add_row(line.stage, f"{line.into:,}", f"{line.out:,}", seconds)
    console = Console()
    console.print(table)
    figures = Table("figure", title="What came of it")
    figures.add_column("value", justify="right")
    for name, value in headline(travelled):
        figures.add_row(name, value)
    console.print(figures)
    pair = next(read_records(travelled.folder / "release" / "preferences.jsonl", Preference), None)
    if pair is not None:
        say(f"Walk back from a preference to its raw line: zhongjing trace {pair.pair_id} --root {travelled.folder}")


def headline(travelled: Travelled) -> list[tuple[str, str]]:
    """The figures one asks for first, with their names."""
    summary, reward, ppo = travelled.agreement, travelled.reward.metrics, travelled.ppo.metrics
    low, high = ppo.reward_gain_interval
    return [
        ("agreement of SIMULATED experts (pairs)", share(summary.pair_agreement)),
        ("Krippendorff's alpha (ordinal)", figure(summary.alpha)),
        ("held-out pair accuracy of the reward model", share(reward.test_accuracy)),
        ("mean reward before PPO", f"{ppo.reward_before:+.3f}"),
        ("mean reward after PPO", f"{ppo.reward_after:+.3f}"),
        ("gain (95 % interval)", f"{ppo.reward_gain:+.3f} ({low:+.3f} to {high:+.3f})"),
    ]
