import gzip
from pathlib import Path

import pytest

from foundation.errors import ZhongjingError
from foundation.text import detect_encoding, numbered_lines

CHINESE = "医生，我孩子昨晚发烧到三十九度，吃什么药好？\n建议先物理降温，多喝温水。\n"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-8-sig"])
def test_encoding_is_found_and_lines_come_back(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(CHINESE.encode(encoding))
    assert [text for _, text in numbered_lines(path)] == CHINESE.splitlines()


def test_gb18030_that_is_valid_utf8_is_caught_by_its_han_share(tmp_path: Path) -> None:
    text = "一些脸谱"
    raw = text.encode("gb18030")
    path = tmp_path / "text"
    valid = [c for c in (chr(n) for n in range(0x4E00, 0x9FA5)) if _valid_utf8(c.encode("gb18030"))]
    assert valid, "some Han characters have GB18030 bytes that are valid UTF-8"
    common = [c for c in valid if 0xB0 <= c.encode("gb18030")[0] < 0xD8]
    path.write_bytes("".join(common).encode("gb18030"))
    assert _valid_utf8(path.read_bytes())
    assert detect_encoding(path) == "gb18030"
    assert raw


def test_a_line_that_does_not_decode_is_given_as_its_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("好的\n".encode() * 50 + b"\xff\xfe\xff\n" + "再见\n".encode())
    lines = dict(numbered_lines(path))
    assert isinstance(lines[51], UnicodeDecodeError)
    assert lines[52] == "再见"


def test_gzip_is_opened_and_a_broken_one_says_so(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(CHINESE.encode()))
    assert [text for _, text in numbered_lines(path)] == CHINESE.splitlines()
    path.write_bytes(gzip.compress(CHINESE.encode() * 1000)[:-20])
    with pytest.raises(ZhongjingError, match="cut short"):
        list(numbered_lines(path, "utf-8"))


def _valid_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
