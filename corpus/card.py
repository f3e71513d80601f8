"""The dataset card of a version, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from corpus.sets import StageResult

if TYPE_CHECKING:
    from corpus.versions import Composition

_LIMITS = """\
- De-identification works by rules: it is not a guarantee that nobody can be recognised. Read before you publish.
- Consent of the patients is not recorded by any of the source formats.
- Departments are those of the sources, brought to one vocabulary; `unknown` where the source names none.
- A statement that the graph does not know is not wrong, and one that it supports is not therefore good advice.
- Text of online consultations; advice may be outdated, brief or wrong. Not for use in care."""

_USE = """\
```python
from datasets import load_dataset

load_dataset("parquet", data_files="dialogues.parquet")
```"""


def dataset_card(version: str, counted: Composition, stages: Sequence[StageResult], parents: Sequence[str] = ()) -> str:
    """What a version holds, where it comes from, what was left out and what it is not good for."""
    doctor_share = counted.doctor_turns / counted.turns if counted.turns else 0.0
    sections = [
        "---\nlanguage: zh\ntask_categories: [text-generation]\nconfigs:\n- config_name: default\n"
        "  data_files: dialogues.parquet\n---",
        f"# {version}",
        "Chinese consultations between patients (`user`) and doctors (`assistant`), curated and frozen. "
        "This version never changes.",
        _table("Counts", ("what", "count"), _figures(counted)),
        f"Doctors speak {doctor_share:.0%} of the turns.",
        _table("Departments", ("department", "dialogues"), counted.departments.items()),
        _sources(counted.sources),
        _table("Steps", ("step", "in", "out"), ((stage.stage, stage.read, stage.kept) for stage in stages)),
        _left_out(counted.left_out),
        f"## Parents\n\n{', '.join(parents) or 'none'}",
        f"## Known limits\n\n{_LIMITS}",
        f"## Use\n\n{_USE}",
    ]
    return "\n\n".join(sections) + "\n"


def _figures(counted: Composition) -> Iterable[tuple[str, int]]:
    return (
        ("dialogues", counted.dialogues),
        ("turns", counted.turns),
        ("doctor turns", counted.doctor_turns),
        ("entities linked", counted.entities),
        ("statements that the graph contradicts", counted.contradictions),
        ("left out on the way (`rejects.jsonl`)", sum(counted.left_out.values())),
    )


def _sources(sources: Mapping[str, int]) -> str:
    rows = ((name, count, "unknown", "not stated") for name, count in sources.items())
    return _table("Sources", ("source", "dialogues", "licence", "patients' consent"), rows)


def _left_out(left_out: Mapping[str, int]) -> str:
    if not left_out:
        return "## Left out\n\nnothing"
    return _table("Left out", ("step: reason", "rows"), left_out.items())


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return f"## {title}\n\n" + "\n".join(lines)


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|").replace("\n", " ")
