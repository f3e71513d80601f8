"""All that is compared in one deduplication: a test set, a frozen version, and the set itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from corpus.deduplication.signatures import Shelf, Signatures, joined, read_signatures, sign_shelf
from corpus.importing import import_files
from corpus.sets import KIND, VERSION_KIND, SetWriter
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.manifest import FileEntry, entry_of, read_manifest


class Others(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a set is compared with: a version `against`, a test set `exclude` (a raw file, a set or a version)."""

    against: Path | None = None
    exclude: Path | None = None

    def entries(self) -> list[FileEntry]:
        """Both as inputs of a manifest, under the names `against` and `exclude`; an error where either is missing."""
        found = []
        if self.against is not None:
            read_manifest(self.against, VERSION_KIND)
            found.append(entry_of(self.against, "against"))
        if self.exclude is not None:
            found.append(entry_of(self.exclude if self.exclude.is_dir() else existing_file(self.exclude), "exclude"))
        return found


ALONE = Others()


class Stock(msgspec.Struct, frozen=True):
    """Shelves of dialogues and their signatures, in the same order.

    The first `tests` dialogues are of the test set, those up to `frozen` of the version; the rest, on the shelves
    from `own` on, is deduplicated.
    """

    shelves: list[Shelf]
    signatures: Signatures
    tests: int
    frozen: int
    own: int
    names: tuple[str, str]

    def within(self, document: int) -> str | None:
        """The name of the test set or version that a document is in."""
        if document >= self.frozen:
            return None
        return self.names[0] if document < self.tests else self.names[1]


@contextmanager
def stocked(
    others: Others, own: Sequence[Shelf], signatures: Signatures, writer: SetWriter, threads: int
) -> Iterator[Stock]:
    """Put the dialogues on the shelves `own` after those that they are compared with."""
    with _as_set(others.exclude, writer) as tests:
        shelves: list[Shelf] = []
        parts: list[Signatures] = []
        if tests is not None:
            shelves.append(Shelf(tests))
            parts.append(sign_shelf(shelves[-1], threads=threads))
        tested = sum(map(len, parts))
        if others.against is not None:
            shelves.append(Shelf(others.against))
            parts.append(read_signatures(others.against, len(shelves[-1])))
        frozen = sum(map(len, parts))
        names = tuple(path.name if path is not None else "" for path in (others.exclude, others.against))
        yield Stock([*shelves, *own], joined([*parts, signatures]), tested, frozen, len(shelves), (names[0], names[1]))


@contextmanager
def _as_set(tests: Path | None, writer: SetWriter) -> Iterator[Path | None]:
    """A test set as a folder of dialogues; a raw file is read into one that goes again."""
    if tests is None or tests.is_dir():
        if tests is not None and read_manifest(tests).kind not in (KIND, VERSION_KIND):
            raise ZhongjingError("this folder holds no dialogues", where=tests)
        yield tests
        return
    with TemporaryDirectory(dir=writer.folder) as folder:
        read = import_files([tests], Path(folder) / "tests")
        writer.details["test_rows_unread"] = sum(read.rejected.values())
        yield Path(folder) / "tests"
