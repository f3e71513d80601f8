"""What the road is run on: the project's own sample, or files of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from foundation.errors import ZhongjingError
from foundation.files import existing_file

SAMPLE = "demo/sample"
SAMPLE_DIALOGUES = ("messages.jsonl", "cmtmedqa.json", "dialogues.gb18030.csv")
SAMPLE_PROMPTS = 30
PROMPTS = 150


@dataclass(frozen=True)
class Inputs:
    """Files and the names they are recorded under. `answers` is there where answers are loaded, not drawn."""

    name: str
    dialogues: tuple[Path, ...]
    dialogue_names: tuple[str, ...]
    graph: tuple[Path, ...]
    graph_names: tuple[str, ...]
    aliases: Path | None
    prompts: int
    answers: Path | None = None

    @property
    def made_up(self) -> bool:
        """Whether no patient can be in the texts, so that they may be shown."""
        return self.answers is not None


def sample() -> Inputs:
    """The sample that ships with the project. It is recorded under the same names wherever it lies."""
    with as_file(files("demo").joinpath("sample")) as folder:
        dialogues = tuple(folder / name for name in SAMPLE_DIALOGUES)
        return Inputs(
            name="sample",
            dialogues=dialogues,
            dialogue_names=tuple(f"{SAMPLE}/{path.name}" for path in dialogues),
            graph=(folder / "graph.csv",),
            graph_names=(f"{SAMPLE}/graph.csv",),
            aliases=folder / "aliases.json",
            prompts=SAMPLE_PROMPTS,
            answers=folder / "answers.json",
        )


def chosen(dialogues: Sequence[Path], graph: Sequence[Path], aliases: Path | None) -> Inputs:
    """The user's files; the sample stands in for whichever of dialogues and graph is not given."""
    own = sample()
    if not dialogues and not graph and aliases is None:
        return own
    if aliases is not None and not graph:
        raise ZhongjingError(
            "aliases without a graph", where=aliases, hint="give the graph they belong to with --graph"
        )
    needed = [*graph, *([aliases] if aliases else [])]
    if not any(path.exists() for path in dialogues):
        needed += dialogues[:1]
    for path in needed:
        existing_file(path)
    return Inputs(
        name=_version_name(dialogues[0]) if dialogues else own.name,
        dialogues=tuple(dialogues) or own.dialogues,
        dialogue_names=tuple(map(str, dialogues)) or own.dialogue_names,
        graph=tuple(graph) or own.graph,
        graph_names=tuple(map(str, graph)) or own.graph_names,
        aliases=aliases if graph else own.aliases,
        prompts=PROMPTS if dialogues else SAMPLE_PROMPTS,
        answers=None if dialogues else own.answers,
    )


def _version_name(path: Path) -> str:
    """The file's name without its endings, as a version may be called."""
    stem = path.name.split(".")[0]
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-_") or "dialogues"
