import errno
import os
from pathlib import Path

import pytest

import foundation.files
from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_file, new_folder


def test_a_file_that_failed_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), new_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_its_name_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with new_folder(path) as temporary:
        (temporary / "one").write_text("1")
    with pytest.raises(RuntimeError), new_folder(path) as temporary:
        (temporary / "two").write_text("2")
        raise RuntimeError
    assert [file.name for file in path.iterdir()] == ["one"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_frozen_folder_is_never_replaced(tmp_path: Path) -> None:
    with new_folder(tmp_path / "v1", replace=False) as temporary:
        (temporary / "data").write_text("1")
    with pytest.raises(ZhongjingError, match="never changed"), new_folder(tmp_path / "v1", replace=False):
        pass


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="disk is full"), new_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_the_way_of_an_output_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZhongjingError, match="a file stands where a folder"), new_folder(tmp_path / "file" / "out"):
        pass
    with pytest.raises(ZhongjingError, match="a folder of this name"), new_file(tmp_path):
        pass
    with pytest.raises(ZhongjingError, match="too long"), new_file(tmp_path / ("x" * 300)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ZhongjingError, match="pipe"):
        existing_file(tmp_path / "pipe")


def test_an_old_folder_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for exchange in (foundation.files._exchange, lambda *_: False):
        monkeypatch.setattr(foundation.files, "_exchange", exchange)
        for content in ("old", "new"):
            with new_folder(tmp_path / "folder") as temporary:
                (temporary / content).write_text(content)
        assert [file.name for file in (tmp_path / "folder").iterdir()] == ["new"]
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_the_killed_left_is_swept_and_what_the_living_write_is_not(tmp_path: Path) -> None:
    dead = tmp_path / ".out.dead.tmp"
    dead.mkdir()
    (dead / "half").write_text("half")
    os.utime(dead, (0, 0))
    with new_folder(tmp_path / "out") as living:
        os.utime(living, (0, 0))
        with new_folder(tmp_path / "out") as second:
            (second / "whole").write_text("2")
        assert living.is_dir()
        (living / "whole").write_text("1")
    assert (tmp_path / "out" / "whole").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
