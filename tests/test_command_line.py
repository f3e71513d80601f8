"""The command as a whole: every command is documented, and help comes at once."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import foundation.cli
import zhongjing
from foundation.manifest import code_version

ROOT = typer.main.get_command(zhongjing.app)
PROMISED = """
demo; kg build; kg stats; kg show; kg link; kg check; corpus import; corpus normalise; corpus deidentify; corpus filter;
corpus dedup; corpus dedup review; corpus match; corpus freeze; corpus diff; corpus card;
corpus sample; corpus build; corpus rewrite; corpus mix; corpus pretrain-text;
rank create; rank simulate; rank status; export;
train generate; train reward; train ppo; train compare; evaluate run; evaluate check-table;
serve; worker; db upgrade; user add; user invite; user list;
user disable; user enable; trace; label-studio up; label-studio down; label-studio connect; label-studio invite;
label-studio doctor; label-studio push; label-studio pull; label-studio accept
"""
HEAVY = ("torch", "transformers", "numpy", "polars", "pyarrow", "numba", "sqlalchemy", "fastapi", "plotly")


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        yield f"{path}{name}", command
        yield from commands(command, f"{path}{name} ")


LEAVES = {name: command for name, command in commands(ROOT) if not getattr(command, "commands", None)}


@pytest.mark.parametrize("name", [name.strip() for name in PROMISED.split(";")])
def test_every_promised_command_is_there(name: str) -> None:
    assert name in LEAVES


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    command = LEAVES[name]
    assert command.help, name
    assert f"zhongjing {name}" in command.help, f"the help of `{name}` shows no example"
    for parameter in command.params:
        text = getattr(parameter, "help", None)
        assert text or parameter.param_type_name == "argument", f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_no_help_hides_words_in_brackets_as_markup(name: str) -> None:
    command = LEAVES[name]
    for text in [command.help, *(getattr(parameter, "help", None) for parameter in command.params)]:
        assert not re.search(r"(?<!\\)\[/?[a-z]", text or ""), f"{name}: {text}"


def test_every_command_in_the_readme_exists_with_its_options() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    shown = re.findall(r"zhongjing ((?:[a-z]+(?:-[a-z]+)* ?)+)([^`#&\n]*)", readme.read_text(encoding="utf-8"))
    named = [(words.split(), rest) for words, rest in shown if words.split()[0] in ROOT.commands]
    assert len(named) > 20
    for words, rest in named:
        name = next(" ".join(words[:size]) for size in (3, 2, 1) if " ".join(words[:size]) in LEAVES)
        known = {option for parameter in LEAVES[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known | {"--help"}, name


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, zhongjing; print([name for name in {HEAVY!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_an_unknown_option_ends_with_status_two() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zhongjing", "kg", "build", "--nonsense"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_named_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("肺炎,临床表现,咳嗽\n", encoding="utf-8")
    assert foundation.cli.run(zhongjing.app, ["kg", "build", str(tmp_path / "a.csv"), "--out", "/proc/graph"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: /proc/")
    assert "check the path" in error


def test_the_version_names_the_code_as_manifests_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert foundation.cli.run(zhongjing.app, ["--version"]) == 0
    assert capsys.readouterr().out == f"zhongjing {code_version()}\n"
