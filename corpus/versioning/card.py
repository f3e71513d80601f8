"""The dataset card of a version, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corpus.sets import StageResult
from corpus.versioning.origins import UNKNOWN, Origin

if TYPE_CHECKING:
    from corpus.versioning.versions import Composition

_LIMITS = """\
- De-identification works by rules: it is not a guarantee that nobody can be recognised. Read before you publish.
- Licence and consent are what somebody wrote down; `unknown` means that nobody did, and none of the raw formats says.
- Departments are those of the sources, brought to one vocabulary; `unknown` where the source names none.
- A near-duplicate at the threshold is found with a probability of 99.5 %: a few remain. Pairs that contradict each
  other in a number, or that answer two questions alike, were flagged and stay.
- A statement that the graph does not know is not wrong, and one that it supports is not therefore good advice.
- Text of online consultations; advice may be outdated, brief or wrong. Not for use in care."""

_USE = """\
```python
from datasets import load_dataset, load_from_disk

load_dataset("path/to/this/folder")      # from Parquet
load_from_disk("path/to/this/folder")    # mapped into memory
```

`zhongjing trace ID` walks from a record to its raw file and line. `zhongjing corpus dedup IN --out OUT --against
path/to/this/folder` keeps new data free of copies of this version."""


def dataset_card(
    version: str,
    counted: Composition,
    stages: Sequence[StageResult],
    *,
    parents: Sequence[str] = (),
    origins: Mapping[str, Origin] | None = None,
) -> str:
    """What a version holds, where it comes from, what was left out and what it is not good for."""
    doctor_share = counted.doctor_turns / counted.turns if counted.turns else 0.0
    mean = counted.characters / counted.dialogues if counted.dialogues else 0.0
    known = origins or {}
    sections = [
        _head({name: known.get(name, Origin()) for name in counted.sources}),
        f"# {version}",
        "Chinese consultations between patients (`user`) and doctors (`assistant`), curated and frozen. "
        "This version never changes.",
        table("Counts", ("what", "count"), _figures(counted)),
        f"Doctors speak {doctor_share:.0%} of the turns; a dialogue has {mean:,.0f} characters on average.",
        table("Turns", ("turns", "dialogues"), counted.lengths.items()),
        table("Departments", ("department", "dialogues"), counted.departments.items()),
        *([table("Scenarios", ("scenario", "dialogues"), counted.scenarios.items())] if counted.scenarios else []),
        _sources(counted.sources, known),
        table("Steps", ("step", "in", "out", "parameters"), map(_step, stages)),
        _left_out(counted.left_out),
        f"## Parents\n\n{', '.join(parents) or 'none'}",
        f"## Known limits\n\n{_LIMITS}",
        f"## Use\n\n{_USE}",
    ]
    return "\n\n".join(sections) + "\n"


def _head(origins: Mapping[str, Origin]) -> str:
    licences = {origin.licence for origin in origins.values()} or {UNKNOWN}
    licence = licences.pop().lower() if len(licences) == 1 else "other"
    spdx = licence if licence.replace("-", "").replace(".", "").isalnum() else "other"
    return (
        f"---\nlanguage: zh\nlicense: {spdx}\ntask_categories: [text-generation]\nconfigs:\n- config_name: default\n"
        "  data_files: dialogues.parquet\n---"
    )


def _figures(counted: Composition) -> Iterable[tuple[str, int]]:
    return (
        ("dialogues", counted.dialogues),
        ("turns", counted.turns),
        ("doctor turns", counted.doctor_turns),
        ("characters", counted.characters),
        ("entities linked", counted.entities),
        ("statements that the graph contradicts", counted.contradictions),
        ("left out on the way (`rejects.jsonl`)", sum(counted.left_out.values())),
    )


def _sources(sources: Mapping[str, int], known: Mapping[str, Origin]) -> str:
    def rows() -> Iterator[tuple[str, int, str, str, str]]:
        for name, count in sources.items():
            origin = known.get(name, Origin())
            yield name, count, origin.licence, origin.consent, origin.note

    return table("Sources", ("source", "dialogues", "licence", "patients' consent", "note"), rows())


def _step(stage: StageResult) -> tuple[str, int, int, str]:
    given = {name: value for name, value in stage.parameters.items() if value not in (None, [], {})}
    return stage.stage, stage.read, stage.kept, ", ".join(f"{name} {_plain(value)}" for name, value in given.items())


def _plain(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _left_out(left_out: Mapping[str, int]) -> str:
    if not left_out:
        return "## Left out\n\nnothing"
    return table("Left out", ("step: reason", "rows"), left_out.items())


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """A headed table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return f"## {title}\n\n" + "\n".join(lines)


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|").replace("\n", " ")
