"""The one folder that jobs read and write. A name that leads out of it, by whatever path or link, is no name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from annotation.errors import InvalidError, NotFoundError
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest

RECIPES, RELEASES = "recipes", "releases"
LONGEST_NAME = 300
LISTED, DEPTH = 500, 4
DATA = frozenset({".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".parquet", ".gz"})


class DataFolder:
    """Names of things in the folder `root`, as people write them: relative, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def place(self, name: str, base: str = "") -> Path:
        """Where something of this name is or would be; relative to the folder `base` of this one where it is given."""
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            raise InvalidError("path", f"a path has 1 to {LONGEST_NAME} printable characters")
        try:
            path = (self.root / base / name).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidError("path", "this path leads nowhere") from error
        if PurePosixPath(name).is_absolute() or not path.is_relative_to(self.root):
            raise InvalidError(
                "path", "this path leads out of the data folder", hint="write it relative to that folder"
            )
        return path

    def source(self, name: str) -> Path:
        """Something that is there."""
        path = self.place(name)
        if not path.exists():
            raise NotFoundError("no_file", f"there is no {name} in the data folder")
        return path

    def target(self, name: str) -> Path:
        """Where something new may be written: never the folder itself, nor anything hidden."""
        path = self.place(name)
        parts = path.relative_to(self.root).parts
        if not parts or any(part.startswith(".") for part in parts):
            raise InvalidError("path", "nothing can be written under this name")
        return path

    def files(self) -> list[str]:
        """Files that are no part of a set, a graph, a release or the recipes: what can be imported."""
        found = (path for path in self._walk(self.root, DEPTH) if path.is_file() and path.suffix in DATA)
        return [self._name(path) for path in found][:LISTED]

    def folders(self, *kinds: str) -> list[str]:
        """Folders whose manifest says one of `kinds`."""
        found = [path for path in self._walk(self.root, DEPTH) if path.is_dir() and _kind(path) in kinds]
        return [self._name(path) for path in found][:LISTED]

    def recipes(self) -> list[str]:
        """The recipes there are, by name."""
        folder = self.root / RECIPES
        return sorted(path.name for path in folder.glob("*.y*ml") if path.is_file()) if folder.is_dir() else []

    def recipe(self, name: str) -> Path:
        """The file of a recipe; a name that is not one of `recipes` does not exist, whatever path it spells."""
        if name not in self.recipes():
            hint = f"put it into {RECIPES}/ of the data folder"
            raise NotFoundError("no_recipe", "there is no such recipe", hint=hint)
        return self.place(f"{RECIPES}/{name}")

    def _walk(self, folder: Path, depth: int) -> Iterator[Path]:
        """What lies in the folder; what has a manifest is one thing and is not looked into."""
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.is_symlink():
                continue
            if path.is_file() or _kind(path):
                yield path
            elif depth > 1 and path.name not in (RECIPES, RELEASES):
                yield from self._walk(path, depth - 1)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _kind(folder: Path) -> str | None:
    try:
        return read_manifest(folder).kind
    except ZhongjingError:
        return None
