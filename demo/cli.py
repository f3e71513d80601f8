"""The command `zhongjing demo`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

OUT = Path("zhongjing-demo")
SEVERAL = ("--dialogues", "--graph")


class SeveralFiles(TyperCommand):
    """A command whose `SEVERAL` options take all the files that follow them: `--graph one.csv two.csv`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its files, which is how click wants them."""
        left: list[str] = super().parse_args(ctx, list(repeated(args)))
        return left


def repeated(arguments: Sequence[str]) -> Iterator[str]:
    """`--graph a b` as `--graph a --graph b`."""
    option, given = "", 0
    for argument in arguments:
        if argument.startswith("-"):
            option, given = argument if argument in SEVERAL else "", 0
        elif option:
            given += 1
            if given > 1:
                yield option
        yield argument


def add_commands(app: typer.Typer) -> None:
    """Mount this room's command."""
    app.command("demo", cls=SeveralFiles)(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the road leaves.")] = OUT,
    dialogues: Annotated[
        list[Path] | None, typer.Option(metavar="FILE…", help="Raw consultations; default: the project's own sample.")
    ] = None,
    graph: Annotated[
        list[Path] | None, typer.Option(metavar="FILE…", help="Files of a medical graph; default: the sample's.")
    ] = None,
    aliases: Annotated[Path | None, typer.Option(metavar="FILE", help="Aliases of that graph, as JSON.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random choice.")] = 0,
) -> None:
    """Run the whole road: raw consultations and a graph in, a reward model and a PPO-trained policy out.

    The experts who rank are simulated, and the model is a tiny stand-in: the road is real, the model is not good.

    Example: zhongjing demo --out try --dialogues consultations.jsonl --graph triples.csv --aliases aliases.json
    """
    from demo.closing import close
    from demo.inputs import chosen
    from demo.road import travel

    close(travel(chosen(dialogues or [], graph or [], aliases), out, seed))
