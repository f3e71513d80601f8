from pathlib import Path

import pytest

from foundation.errors import ZhongjingError
from foundation.manifest import claim_folder, read_manifest, write_manifest


def made(folder: Path, kind: str = "thing") -> Path:
    folder.mkdir()
    (folder / "data").write_text("1")
    write_manifest(folder, kind=kind, name="x", inputs=[], parameters={}, counts={})
    return folder


def test_the_same_contents_have_the_same_manifest(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    assert read_manifest(one) == read_manifest(other)
    (other / "data").write_text("2")
    write_manifest(other, kind="thing", name="x", inputs=[], parameters={}, counts={})
    assert read_manifest(one).sha256 != read_manifest(other).sha256


def test_a_folder_of_the_same_kind_may_be_replaced(tmp_path: Path) -> None:
    claim_folder(tmp_path / "nothing there", "thing")
    (tmp_path / "empty").mkdir()
    claim_folder(tmp_path / "empty", "thing")
    claim_folder(made(tmp_path / "ours"), "thing")


def test_a_folder_of_anything_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="a thing was expected"):
        claim_folder(made(tmp_path / "model", kind="model"), "thing")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary").touch()
    with pytest.raises(ZhongjingError, match="holds other things"):
        claim_folder(tmp_path / "notes", "thing")
    (made(tmp_path / "ours") / "diary").touch()
    with pytest.raises(ZhongjingError, match="diary: this file is not of the run"):
        claim_folder(tmp_path / "ours", "thing")


def test_a_file_in_the_place_of_a_folder_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "raw.json").write_text("[]")
    with pytest.raises(ZhongjingError, match="this is a file, a folder was expected"):
        read_manifest(tmp_path / "raw.json")
