"""How every command ends: a result on stdout, or one clear message on stderr and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from foundation.errors import ZhongjingError

INTERRUPTED = 130


class Group(TyperGroup):
    """A group whose commands may have names of two words: `dedup review` beside `dedup IN`."""

    def resolve_command(self, context: Any, arguments: list[str]) -> Any:
        """The command that the first words name, and what is left for it."""
        words = " ".join(arguments[:2])
        if words in self.commands and len(arguments) > 1:
            return words, self.commands[words], arguments[2:]
        return super().resolve_command(context, arguments)


def group(about: str) -> typer.Typer:
    """A command group that prints its help where no command is given."""
    return typer.Typer(
        cls=Group, help=about, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )


def say(line: str) -> None:
    """One line of result, on stdout."""
    typer.echo(line)


def warn(line: str) -> None:
    """One line the user should see though work goes on, on stderr."""
    typer.echo(line, err=True)


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run the app and return its exit status: 2 where nothing could be done, 130 after Ctrl-C."""
    try:
        status = app(args=arguments, standalone_mode=False)
    except ZhongjingError as error:
        warn(f"error: {error}")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        warn(f"error: {where}{error.strerror or error}\n  check the path, its permissions and the space on the disk")
        return 2
    except Exception as error:
        return _usage_error(error)
    if status == INTERRUPTED:
        warn("interrupted: nothing half-written was left; run the same command again to go on")
    return status if isinstance(status, int) else 0


def _usage_error(error: Exception) -> int:
    """Typer's own complaints about arguments know how to print themselves; anything else is our fault."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is None or code is None:
        raise error
    show()
    return int(code)
