"""What jobs there are and what each is asked for. Paths are names in the data folder and are checked twice: when a
job is asked for, and again when it is done."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from annotation.campaigns.campaigns import find_campaign
from annotation.database import Database
from annotation.errors import InvalidError
from annotation.jobs.data_folder import RECIPES, RELEASES, DataFolder

if TYPE_CHECKING:
    from corpus.build import Recipe

# As the rooms that make them call them; loading those rooms would make the service slow to start.
SETS, GRAPH = ("dialogue-set", "dataset-version"), "knowledge-graph"
RELEASED = (
    "rankings.jsonl",
    "rankings.parquet",
    "preferences.jsonl",
    "preferences.parquet",
    "implicit.jsonl",
    "unpaired.jsonl",
    "openrlhf-train.jsonl",
    "openrlhf-test.jsonl",
    "leave_one_out.parquet",
    "left_out.jsonl",
    "README.md",
    "manifest.json",
)
Name = Annotated[str, Field(min_length=1, max_length=300)]
Tell = Callable[[dict[str, Any]], None]


class Order(BaseModel):
    """What a job is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)
    kind: ClassVar[str]

    @abstractmethod
    def check(self, session: Session, data: DataFolder) -> None:
        """Raise unless it can be done as it is asked for."""

    @abstractmethod
    def target(self, job_id: int) -> str:
        """The place that it writes to, which is its own while it waits or runs."""

    @abstractmethod
    def run(self, database: Database, data: DataFolder, job_id: int, tell: Tell) -> dict[str, Any]:
        """Do it and return the report; `tell` takes each stage's report as it comes."""


class Import(Order):
    """Read raw files of the data folder into the dialogue set `out`."""

    kind = "import"
    files: Annotated[list[Name], Field(min_length=1, max_length=500)]
    out: Name

    def check(self, session: Session, data: DataFolder) -> None:  # noqa: ARG002
        """Raise unless the files are there."""
        for name in self.files:
            data.source(name)
        data.target(self.out)

    def target(self, job_id: int) -> str:  # noqa: ARG002
        """The new set."""
        return self.out

    def run(self, database: Database, data: DataFolder, job_id: int, tell: Tell) -> dict[str, Any]:  # noqa: ARG002
        """Import them; a broken file is told and left out."""
        from corpus.importing import import_files

        files = [data.source(name) for name in self.files]
        result = import_files(
            files,
            data.target(self.out),
            names=self.files,
            reuse=True,
            on_fault=lambda fault: tell({"fault": str(fault)}),
        )
        tell(msgspec.to_builtins(result))
        return {"folder": self.out}


class Deduplicate(Order):
    """Remove copies from the dialogue set `source`; the set `out` holds what stays."""

    kind = "deduplicate"
    source: Name
    out: Name
    threshold: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5

    def check(self, session: Session, data: DataFolder) -> None:  # noqa: ARG002
        """Raise unless the set is there."""
        data.source(self.source)
        data.target(self.out)

    def target(self, job_id: int) -> str:  # noqa: ARG002
        """The new set."""
        return self.out

    def run(self, database: Database, data: DataFolder, job_id: int, tell: Tell) -> dict[str, Any]:  # noqa: ARG002
        """Deduplicate it."""
        from corpus.deduplication.dedup import dedup

        result = dedup(data.source(self.source), data.target(self.out), threshold=self.threshold, reuse=True)
        tell(msgspec.to_builtins(result))
        return {"folder": self.out}


class Match(Order):
    """Check the dialogue set `source` against the graph in `graph`; the set `out` holds the verdicts as well."""

    kind = "match"
    source: Name
    graph: Name
    out: Name

    def check(self, session: Session, data: DataFolder) -> None:  # noqa: ARG002
        """Raise unless set and graph are there."""
        data.source(self.source)
        data.source(self.graph)
        data.target(self.out)

    def target(self, job_id: int) -> str:  # noqa: ARG002
        """The new set."""
        return self.out

    def run(self, database: Database, data: DataFolder, job_id: int, tell: Tell) -> dict[str, Any]:  # noqa: ARG002
        """Match it."""
        from corpus.matching import match

        result = match(data.source(self.source), data.source(self.graph), data.target(self.out), reuse=True)
        tell(msgspec.to_builtins(result))
        return {"folder": self.out}


class Build(Order):
    """Run all steps of a recipe in `recipes/` of the data folder, from raw files to a frozen version."""

    kind = "build"
    recipe: Name

    def check(self, session: Session, data: DataFolder) -> None:  # noqa: ARG002
        """Raise unless the recipe is there and stays inside the data folder with everything it names."""
        self._out(data)

    def target(self, job_id: int) -> str:  # noqa: ARG002
        """One build of a recipe at a time."""
        return f"{RECIPES}/{self.recipe}"

    def run(self, database: Database, data: DataFolder, job_id: int, tell: Tell) -> dict[str, Any]:  # noqa: ARG002
        """Build it; stages that are complete already are reused."""
        from corpus.build import build

        folder = self._out(data)
        build(data.recipe(self.recipe), on_stage=lambda result: tell(msgspec.to_builtins(result)))
        return {"folder": folder}

    def _out(self, data: DataFolder) -> str:
        from corpus.build import read_recipe

        path = data.recipe(self.recipe)
        read = read_recipe(path)
        for text in chain(_texts(msgspec.to_builtins(read)), _matches(read, path)):
            data.place(text, RECIPES)
        return data.place(read.out, RECIPES).relative_to(data.root).as_posix()


class Export(Order):
    """Write the rankings and preferences of a campaign to `releases/<job>` of the data folder."""

    kind = "export"
    campaign: Annotated[str, Field(min_length=1, max_length=100)]
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    test_share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.2
    method: Annotated[str, Field(max_length=50)] = "ranked_pairs"
    guideline_version: Annotated[str | None, Field(max_length=50, pattern=r"^[^\x00-\x1f]*$")] = None

    def check(self, session: Session, data: DataFolder) -> None:  # noqa: ARG002
        """Raise unless there are such a campaign and such a method."""
        from annotation.consensus.methods import chosen_method

        find_campaign(session, self.campaign)
        chosen_method(self.method)

    def target(self, job_id: int) -> str:
        """A folder of its own."""
        return f"{RELEASES}/{job_id}"

    def run(self, database: Database, data: DataFolder, job_id: int, tell: Tell) -> dict[str, Any]:  # noqa: ARG002
        """Export it."""
        from annotation.consensus.methods import chosen_method
        from annotation.releases.exports import export

        folder = self.target(job_id)
        with database.read() as session:
            release = export(
                session,
                find_campaign(session, self.campaign),
                data.target(folder),
                test_share=self.test_share,
                seed=self.seed,
                method=chosen_method(self.method),
                guideline_version=self.guideline_version or None,
            )
        return {"folder": folder, **msgspec.to_builtins(release)}


ORDERS: dict[str, type[Order]] = {order.kind: order for order in (Import, Deduplicate, Match, Build, Export)}


def order_from(kind: str, payload: dict[str, Any]) -> Order:
    """A stored order."""
    if kind not in ORDERS:
        raise InvalidError("kind", f"there are no jobs of the kind {kind}")
    return ORDERS[kind].model_validate(payload)


def _matches(recipe: Recipe, path: Path) -> Iterator[str]:
    """The files that the recipe's patterns find; looked for only once its own words have proved harmless."""
    from corpus.build import inputs_of

    yield from inputs_of(recipe, path)


def _texts(value: Any) -> Iterator[str]:
    """Every string in a recipe: each that names a file, and the others, which are harmless as names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
