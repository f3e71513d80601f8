"""The command `zhongjing`: mounts the rooms' commands, nothing else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import annotation.cli
import corpus.cli
import demo.cli
import foundation.cli
import kg.cli
import training.cli
import training.evaluation.cli
from foundation.manifest import code_version

app = foundation.cli.group("Medical dialogue data and expert preferences that can be trusted, and training on them.")
demo.cli.add_commands(app)
kg.cli.add_commands(app)
corpus.cli.add_commands(app)
annotation.cli.add_commands(app)
training.cli.add_commands(app)
training.evaluation.cli.add_commands(app)


def _say_version(asked: bool) -> None:
    if asked:
        foundation.cli.say(f"zhongjing {code_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None: ...


def main() -> None:
    """Entry point of the console command."""
    sys.exit(foundation.cli.run(app))


if __name__ == "__main__":
    main()
