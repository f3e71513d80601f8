from pathlib import Path

from demo.cli import repeated
from demo.inputs import chosen, sample


def test_one_option_takes_all_files_that_follow_it() -> None:
    given = ["--dialogues", "a", "b", "--out", "o", "--graph", "g", "h", "--seed", "1"]
    wanted = ["--dialogues", "a", "--dialogues", "b", "--out", "o", "--graph", "g", "--graph", "h", "--seed", "1"]
    assert list(repeated(given)) == wanted
    assert list(repeated(wanted)) == wanted


def test_the_sample_stands_in_for_what_is_not_given(tmp_path: Path) -> None:
    graph = tmp_path / "graph.csv"
    graph.touch()
    inputs = chosen([], [graph], None)
    assert inputs.dialogues == sample().dialogues
    assert inputs.graph == (graph,)
    assert inputs.aliases is None


def test_a_version_is_named_after_the_first_file(tmp_path: Path) -> None:
    path = tmp_path / "dialmed dev.jsonl.gz"
    path.touch()
    assert chosen([path], [], None).name == "dialmed-dev"
