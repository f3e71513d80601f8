"""The frozen versions of the data folder: what each holds, what it grew from, and what changed between two."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from annotation.errors import NotFoundError
from annotation.jobs.data_folder import DataFolder
from annotation.web import charts
from annotation.web.jobs import data_of
from annotation.web.texts import text
from annotation.web.view import page
from annotation.web.visitor import Person, language_of
from foundation.manifest import read_manifest

if TYPE_CHECKING:
    from corpus.versioning.diff import Difference

VERSION = "dataset-version"
MATCHED = "match"
SHOWN_DEPARTMENTS = 4

router = APIRouter(default_response_class=HTMLResponse)
Name = Annotated[str, Query(min_length=1, max_length=300)]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen version as its manifest says; `place` is its name in the data folder, `compare` the places of its
    parents there and of the version before it. `contradictions` is None where it was not matched against a graph."""

    place: str
    name: str
    dialogues: int
    turns: int
    left_out: int
    contradictions: int | None
    parents: list[str]
    departments: dict[str, int]
    compare: list[str]
    sha256: str


@router.get("/versions")
def versions(request: Request, visitor: Person) -> Response:
    """All versions, the newest of each name first."""
    found = frozen_versions(data_of(request))
    plots = {version.place: _departments(version, language_of(request)) for version in found}
    return page(request, "versions.html", visitor=visitor, versions=found, plots=plots)


@router.get("/versions/diff")
def difference(request: Request, visitor: Person, old: Name, new: Name) -> Response:
    """What changed from one version to another, counted; never a word of a dialogue."""
    places = {version.place: version for version in frozen_versions(data_of(request))}
    if old not in places or new not in places:
        raise NotFoundError("no_version", "there is no such version in the data folder")
    before, after = (data_of(request).source(name) for name in (old, new))
    found = _difference(before, after, places[old].sha256, places[new].sha256)
    return page(request, "diff.html", visitor=visitor, diff=found)


def frozen_versions(data: DataFolder) -> list[Version]:
    """The versions in a data folder, the newest of each name first."""
    manifests = {place: read_manifest(data.source(place), VERSION) for place in data.folders(VERSION)}
    named = {manifest.name: place for place, manifest in manifests.items()}
    found = [
        Version(
            place=place,
            name=manifest.name,
            dialogues=manifest.counts["dialogues"],
            turns=manifest.counts["turns"],
            left_out=sum(manifest.counts["left_out"].values()),
            contradictions=manifest.counts["contradictions"] if MATCHED in manifest.parameters["steps"] else None,
            parents=manifest.parameters["parents"],
            departments=manifest.counts["departments"],
            compare=[named[one] for one in _before(manifest.name, manifest.parameters["parents"]) if one in named],
            sha256=manifest.sha256,
        )
        for place, manifest in manifests.items()
    ]
    return sorted(found, key=lambda version: (_split(version.name)[0], -_split(version.name)[1], version.place))


def _split(name: str) -> tuple[str, int]:
    base, _, number = name.rpartition("-v")
    return (base, int(number)) if base and number.isdecimal() else (name, 0)


def _before(name: str, parents: list[str]) -> list[str]:
    base, number = _split(name)
    return list(dict.fromkeys([*([f"{base}-v{number - 1}"] if number > 1 else []), *parents]))


def _departments(version: Version, language: str) -> tuple[dict[str, int], Markup]:
    """The largest departments and the rest, and their plot."""
    ordered = sorted(version.departments.items(), key=lambda pair: -pair[1])
    parts = dict(ordered[:SHOWN_DEPARTMENTS])
    rest = sum(count for _, count in ordered[SHOWN_DEPARTMENTS:])
    if rest:
        parts[text(language, "others")] = rest
    return parts, charts.shares(parts, text(language, "plot_departments", name=version.name))


@lru_cache(maxsize=32)
def _difference(old: Path, new: Path, *_hashes: str) -> Difference:
    """Versions never change, so that their difference is worked out once; the hashes say which they are."""
    from corpus.versioning.diff import diff

    return diff(old, new)
