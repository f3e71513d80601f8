"""Frozen versions: a set under a name and number that never changes again."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.deduplication.signatures import SIGNATURES, Shelf, sign_shelf, write_signatures
from corpus.records import Dialogue
from corpus.sets import DIALOGUES, KIND, REJECTS, VERSION_KIND, StageResult, count_dialogues, read_dialogues, stages_of
from corpus.versioning.card import dataset_card
from corpus.versioning.exchange import write_for_datasets
from corpus.versioning.origins import Origin, Origins
from foundation.errors import ZhongjingError
from foundation.files import new_folder, sha256_of
from foundation.manifest import Manifest, entry_of, read_manifest, write_manifest
from foundation.progress import track
from foundation.rejects import read_rejects

STAGE = "freeze"
CARD = "README.md"

_NAME = re.compile(r"[\w][\w.-]*")


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """What a version holds, counted. `lengths` is dialogues by number of turns, `left_out` rows by step and reason."""

    dialogues: int
    turns: int
    doctor_turns: int
    characters: int
    departments: dict[str, int]
    scenarios: dict[str, int]
    sources: dict[str, int]
    lengths: dict[str, int]
    left_out: dict[str, int]
    entities: int
    contradictions: int


def freeze(
    source: Path, versions: Path, name: str, *, parents: Sequence[str] = (), origins: Mapping[str, Origin] | None = None
) -> StageResult:
    """Copy the set `source` to `versions/<name>-v<N>`, with N the next free number; it is never changed again.

    Where the newest version of that name says the same of the same dialogues and rejects it is reused, and no new one
    made. `parents` name the versions this one grew from, `origins` licence and consent of its sources. The result's
    detail `version` is the folder's name.
    """
    check_name(name)
    manifest = read_manifest(source, KIND)
    parameters = _parameters(source, parents, origins or {})
    content = {file: sha256_of(source / file) for file in (DIALOGUES, REJECTS)}
    number = newest_number(versions, name)
    newest = versions / f"{name}-v{number}"
    if number and _says(read_manifest(newest, VERSION_KIND)) == (content, parameters):
        return _result(manifest, newest.name, reused=True)
    folder = versions / f"{name}-v{number + 1}"
    with new_folder(folder, replace=False) as temporary:
        _write(temporary, source, folder.name, parameters, content)
    return _result(manifest, folder.name, reused=False)


def check_name(name: str) -> None:
    """An error where a dataset cannot be called so."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ZhongjingError(f"{name!r} is no name for a version", hint="use letters, digits, hyphens and points")


def newest_number(versions: Path, name: str) -> int:
    """The number of the newest version of that name; 0 where there is none."""
    pattern = re.compile(re.escape(name) + r"-v(\d+)")
    folders = versions.iterdir() if versions.is_dir() else ()
    return max((int(match.group(1)) for folder in folders if (match := pattern.fullmatch(folder.name))), default=0)


def read_card(version: Path) -> str:
    """The dataset card of a version, after making sure that no file of it has changed since it was frozen."""
    for file in read_manifest(version, VERSION_KIND).files:
        path = version / file.name
        if not path.is_file() or sha256_of(path) != file.sha256:
            raise ZhongjingError(
                "this file is not as it was frozen",
                where=path,
                hint="bring it back from a copy, or freeze a new version",
            )
    return (version / CARD).read_text(encoding="utf-8")


def composition(source: Path) -> Composition:
    """Count what a set or version holds."""
    counts: Counter[str] = Counter()
    departments, scenarios = Counter[str](), Counter[str]()
    sources: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    for dialogue in track(read_dialogues(source), "counting", count_dialogues(source)):
        departments[dialogue.department or "unknown"] += 1
        if dialogue.scenario is not None:
            scenarios[dialogue.scenario] += 1
        sources[dialogue.source] += 1
        lengths[len(dialogue.messages)] += 1
        counts.update(_counted(dialogue))
    rejects = Counter(f"{reject.stage}: {reject.reason}" for reject in read_rejects(source / REJECTS))
    return Composition(
        dialogues=counts["dialogues"],
        turns=counts["turns"],
        doctor_turns=counts["doctor_turns"],
        characters=counts["characters"],
        departments=dict(departments.most_common()),
        scenarios=dict(scenarios.most_common()),
        sources=dict(sorted(sources.items())),
        lengths={str(length): count for length, count in sorted(lengths.items())},
        left_out=dict(sorted(rejects.items())),
        entities=counts["entities"],
        contradictions=counts["contradictions"],
    )


def _counted(dialogue: Dialogue) -> dict[str, int]:
    return {
        "dialogues": 1,
        "turns": len(dialogue.messages),
        "doctor_turns": sum(message.role == "assistant" for message in dialogue.messages),
        "characters": sum(len(message.content) for message in dialogue.messages),
        "entities": len(dialogue.kg.entities) if dialogue.kg else 0,
        "contradictions": dialogue.kg.contradicted if dialogue.kg else 0,
    }


def _parameters(source: Path, parents: Sequence[str], origins: Mapping[str, Origin]) -> dict[str, Any]:
    steps = {stage.stage: stage.parameters for stage in stages_of(source)}
    return {"parents": list(parents), "origins": msgspec.to_builtins(dict(sorted(origins.items()))), "steps": steps}


def _write(folder: Path, source: Path, version: str, parameters: dict[str, Any], content: Mapping[str, str]) -> None:
    for file in (DIALOGUES, REJECTS):
        shutil.copyfile(source / file, folder / file)
        if sha256_of(folder / file) != content[file]:
            raise ZhongjingError("the set changed while it was being frozen", where=source, hint="freeze it again")
    counted, stages = composition(source), stages_of(source)
    write_signatures(folder / SIGNATURES, sign_shelf(Shelf(source)))
    write_for_datasets(folder, source, content[DIALOGUES][:16])
    origins = msgspec.convert(parameters["origins"], Origins)
    card = dataset_card(version, counted, stages, parents=parameters["parents"], origins=origins)
    (folder / CARD).write_text(card, encoding="utf-8")
    counts: dict[str, Any] = {**msgspec.to_builtins(counted), "stages": msgspec.to_builtins(stages)}
    write_manifest(
        folder,
        kind=VERSION_KIND,
        name=version,
        inputs=[entry_of(source, source.name)],
        parameters=parameters,
        counts=counts,
    )


def _says(manifest: Manifest) -> tuple[dict[str, str], dict[str, Any]]:
    return {file.name: file.sha256 for file in manifest.files if file.name in (DIALOGUES, REJECTS)}, manifest.parameters


def _result(manifest: Manifest, version: str, *, reused: bool) -> StageResult:
    count = int(manifest.counts["dialogues"])
    return StageResult(stage=STAGE, read=count, kept=count, details={"version": version}, reused=reused)
