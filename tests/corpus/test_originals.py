"""The way back from surrogates, and that there is none without the key."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import foundation.cli
import zhongjing
from corpus.privacy.deidentify import deidentify
from corpus.privacy.originals import load_key, originals_beside, reidentify, seal
from corpus.sets import read_dialogues
from foundation.errors import ZhongjingError

TURNS = ["我叫赵文博，92岁，2023年5月17日住院，电话19900001234", "赵文博您好，头还疼吗？", "疼", "多休息"]
SECRETS = ("赵文博", "92岁", "5月17日", "19900001234")


@pytest.fixture
def sealed(set_of: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path, Path]:
    """A de-identified set, the key and the sealed originals."""
    source, out, key = set_of(TURNS, ["头疼", "多久了"]), tmp_path / "clean", tmp_path / "secret" / "key"
    deidentify(source, out)
    originals = originals_beside(key, out)
    assert seal(source, out, key, originals) == 1
    return out, key, originals


def words(folder: Path) -> list[str]:
    return [message.content for dialogue in read_dialogues(folder) for message in dialogue.messages]


def test_with_the_key_everything_comes_back(sealed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    out, key, originals = sealed
    assert not any(secret in text for text in words(out) for secret in SECRETS)
    result = reidentify(out, tmp_path / "open", key=key, originals=originals)
    assert words(tmp_path / "open") == [*TURNS, "头疼", "多久了"]
    assert result.details == {"turns_restored": 2}


def test_nothing_personal_lies_in_the_set_or_in_the_sealed_file(sealed: tuple[Path, Path, Path]) -> None:
    out, key, originals = sealed
    files = [file for file in (*out.rglob("*"), originals) if file.is_file()]
    assert not any(secret.encode() in file.read_bytes() for file in files for secret in SECRETS)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_another_key_opens_nothing(sealed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    out, _, originals = sealed
    load_key(tmp_path / "other", make=True)
    with pytest.raises(ZhongjingError, match="does not open"):
        reidentify(out, tmp_path / "open", key=tmp_path / "other", originals=originals)
    (tmp_path / "other").write_text("zhongjing-key-1 nonsense")
    with pytest.raises(ZhongjingError, match="no key"):
        reidentify(out, tmp_path / "open", key=tmp_path / "other", originals=originals)
    assert not (tmp_path / "open").exists()


def test_a_turn_changed_since_is_counted_and_left(
    sealed: tuple[Path, Path, Path], set_of: Callable[..., Path], tmp_path: Path
) -> None:
    _, key, originals = sealed
    changed = set_of(["别的话", *TURNS[1:]], name="changed")
    result = reidentify(changed, tmp_path / "open", key=key, originals=originals)
    assert result.details == {"turns_changed_since": 2}


def test_sealing_again_gives_the_same_bytes(
    sealed: tuple[Path, Path, Path], set_of: Callable[..., Path], tmp_path: Path
) -> None:
    out, key, originals = sealed
    seal(set_of(TURNS, ["头疼", "多久了"], name="again"), out, key, tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == originals.read_bytes()


def test_the_key_is_no_part_of_the_set(
    set_of: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = set_of(TURNS), tmp_path / "out"
    arguments = ["corpus", "deidentify", str(source), "--out", str(out), "--key", str(out / "key")]
    assert foundation.cli.run(zhongjing.app, arguments) == 2
    assert "must not lie inside the set" in capsys.readouterr().err


def test_a_key_that_is_none_is_refused_before_any_work(
    set_of: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, out = tmp_path / "key", tmp_path / "out"
    key.write_text("no key at all")
    arguments = ["corpus", "deidentify", str(set_of(TURNS)), "--out", str(out), "--key", str(key)]
    assert foundation.cli.run(zhongjing.app, arguments) == 2
    assert "no key" in capsys.readouterr().err
    assert not out.exists()


def test_the_audit_shows_shapes_and_no_secret(
    set_of: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["corpus", "deidentify", str(set_of(TURNS)), "--out", str(tmp_path / "out"), "--audit"]
    assert foundation.cli.run(zhongjing.app, arguments) == 0
    printed = capsys.readouterr().out
    assert "电话⟦00000000000⟧" in printed
    assert "⟦0000某0某00某⟧" in printed
    assert not any(secret in printed for secret in SECRETS)
