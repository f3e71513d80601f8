"""A hundred kinds of broken files: what is whole is kept, the rest has a reason and a line, nothing half-made stays."""

import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import foundation.cli
import zhongjing
from corpus.importing import import_files
from corpus.readers.base import LONGEST_ROW
from corpus.sets import REJECTS, read_dialogues
from foundation.errors import ZhongjingError
from foundation.rejects import read_rejects

ASKED, ANSWERED = "孩子发烧两天了怎么办？", "体温多少？超过38.5度可以用布洛芬。"
ROW = {"instruction": ASKED, "output": ANSWERED}
GOOD = json.dumps(ROW, ensure_ascii=False).encode()
DEEP = 100_000


def messages(*turns: object) -> bytes:
    return json.dumps({"messages": turns}, ensure_ascii=False).encode()


MOJIBAKE = json.dumps({name: text.encode().decode("gb18030", "replace") for name, text in ROW.items()}).encode()
USER, DOCTOR = {"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}

# One broken line between two good ones of JSON lines: name, the line, its reason.
LINES: list[tuple[str, bytes, str]] = [
    ("cut in a string", b'{"instruction": "a', "invalid_json"),
    ("cut after a key", b'{"instruction":', "invalid_json"),
    ("single quotes", b"{'instruction': 'a', 'output': 'b'}", "invalid_json"),
    ("trailing comma", b'{"instruction": "a", "output": "b",}', "invalid_json"),
    ("a comment", b'{"instruction": "a", "output": "b"} // x', "invalid_json"),
    ("keys without quotes", b'{instruction: "a", output: "b"}', "invalid_json"),
    (
        "two objects on a line",
        b'{"instruction": "a", "output": "b"} {"instruction": "c", "output": "d"}',
        "invalid_json",
    ),
    ("NaN", b'{"instruction": "a", "output": "b", "n": NaN}', "invalid_json"),
    ("Infinity", b'{"instruction": "a", "output": "b", "n": Infinity}', "invalid_json"),
    ("minus Infinity", b'{"instruction": "a", "output": "b", "n": -Infinity}', "invalid_json"),
    ("a float beyond all bounds", b'{"instruction": "a", "output": "b", "n": 1e999}', "invalid_json"),
    ("5,000 digits", b'{"instruction": "a", "output": "b", "n": ' + b"9" * 5000 + b"}", "invalid_json"),
    ("5,000 decimals", b'{"instruction": "a", "output": "b", "n": 0.' + b"9" * 5000 + b"}", "invalid_json"),
    ("duplicate keys", b'{"instruction": "a", "instruction": "b", "output": "c"}', "invalid_json"),
    ("duplicate keys inside", b'{"messages": [{"role": "user", "role": "user", "content": "a"}]}', "invalid_json"),
    ("escaped NUL", b'{"instruction": "a\\u0000", "output": "b"}', "invalid_json"),
    ("raw NUL", b'{"instruction": "a\x00", "output": "b"}', "invalid_json"),
    ("raw control character", b'{"instruction": "a\x07", "output": "b"}', "invalid_json"),
    ("unknown escape", b'{"instruction": "a\\x", "output": "b"}', "invalid_json"),
    ("lone high surrogate", b'{"instruction": "a\\ud800", "output": "b"}', "invalid_json"),
    ("lone low surrogate", b'{"instruction": "a\\udc00", "output": "b"}', "invalid_json"),
    ("100,000 objects deep", b'{"a":' * DEEP + b"1" + b"}" * DEEP, "invalid_json"),
    ("100,000 arrays deep", b'{"a": ' + b"[" * DEEP + b"]" * DEEP + b"}", "invalid_json"),
    ("100,000 arrays never closed", b'{"a": ' + b"[" * DEEP, "invalid_json"),
    ("Python's True", b'{"instruction": "a", "output": True}', "invalid_json"),
    ("words among objects", b"not JSON at all", "invalid_json"),
    ("byte order mark within", b"\xef\xbb\xbf" + GOOD, "invalid_json"),
    ("GB18030 among UTF-8", json.dumps(ROW, ensure_ascii=False).encode("gb18030"), "encoding"),
    (
        "GB18030 that is valid UTF-8",
        '{"instruction": "联通联通联通", "output": "联通联通"}'.encode("gb18030"),
        "encoding",
    ),
    ("UTF-8 read as GB18030 and saved", MOJIBAKE, "encoding"),
    ("UTF-8 cut within a character", GOOD[:-8] + b"\xe4\xb8" + GOOD[-8:], "encoding"),
    ("overlong UTF-8", b'{"instruction": "\xc0\xaf", "output": "b"}', "encoding"),
    ("surrogates spelt in UTF-8", b'{"instruction": "\xed\xa0\x80", "output": "b"}', "encoding"),
    ("Latin-1", '{"instruction": "fièvre élevée", "output": "b"}'.encode("latin-1"), "encoding"),
    ("null", b"null", "not_an_object"),
    ("true", b"true", "not_an_object"),
    ("a number", b"42", "not_an_object"),
    ("a string", b'"text"', "not_an_object"),
    ("an array", b"[1, 2]", "not_an_object"),
    ("an empty object", b"{}", "no_messages"),
    ("unknown columns", b'{"hello": "world"}', "no_messages"),
    ("a question without an answer's column", b'{"instruction": "a"}', "no_messages"),
    ("messages empty", b'{"messages": []}', "no_messages"),
    ("messages null", b'{"messages": null}', "no_messages"),
    (
        "all turns empty",
        messages({"role": "user", "content": " "}, {"role": "assistant", "content": ""}),
        "no_messages",
    ),
    ("messages an object", b'{"messages": {"role": "user"}}', "messages_not_a_list"),
    ("messages a number", b'{"messages": 5}', "messages_not_a_list"),
    ("conversations a string", b'{"conversations": "a"}', "messages_not_a_list"),
    ("history an object", b'{"history": {}, "instruction": "a", "output": "b"}', "messages_not_a_list"),
    ("turns in a list of lists", messages([USER, DOCTOR]), "bad_turn"),
    ("a turn a string among objects", messages("a", USER), "bad_turn"),
    ("a turn null", messages(USER, None), "bad_turn"),
    ("content a number", messages({"role": "user", "content": 3}), "bad_turn"),
    ("content null", messages({"role": "user", "content": None}), "bad_turn"),
    ("content an object", messages({"role": "user", "content": {}}), "bad_turn"),
    ("content a list of strings", messages({"role": "user", "content": ["a"]}), "bad_turn"),
    ("no content", messages({"role": "user"}), "bad_turn"),
    ("history with single texts", b'{"history": ["a"], "instruction": "b", "output": "c"}', "bad_turn"),
    ("history of threes", b'{"history": [["a", "b", "c"]], "instruction": "b", "output": "c"}', "bad_turn"),
    ("history with null", b'{"history": [["a", null]], "instruction": "b", "output": "c"}', "bad_turn"),
    ("question an object", b'{"instruction": {"a": 1}, "output": "b"}', "bad_turn"),
    ("question a number", b'{"instruction": 7, "output": "b"}', "bad_turn"),
    ("answers a list of numbers", b'{"questions": ["a"], "answers": [5]}', "bad_turn"),
    ("dialog of numbers", b'{"dialog": [1, 2]}', "bad_turn"),
    ("no role", messages({"content": "a"}), "unknown_role"),
    ("role null", messages({"role": None, "content": "a"}), "unknown_role"),
    ("role a number", messages({"role": 1, "content": "a"}), "unknown_role"),
    ("role a list", messages({"role": ["user"], "content": "a"}), "unknown_role"),
    ("role unknown", messages({"role": "路人", "content": "a"}), "unknown_role"),
    ("lines without speakers", '{"dialog": ["没有说话人"]}'.encode(), "no_speaker"),
    ("text without speakers", '{"conversation": "没有说话人"}'.encode(), "no_speaker"),
    ("doctor first", messages(DOCTOR, USER), "starts_with_doctor"),
    ("doctor alone", messages(DOCTOR), "starts_with_doctor"),
    ("system late", messages(USER, {"role": "system", "content": "x"}), "misplaced_system"),
    ("system alone", messages({"role": "system", "content": "x"}), "no_messages"),
    ("longer than a row may be", b'{"instruction": "' + b"a" * LONGEST_ROW + b'", "output": "b"}', "too_long"),
]


def csv(*lines: str, encoding: str = "utf-8") -> bytes:
    return "".join(f"{line}\n" for line in ("department,title,ask,answer", *lines)).encode(encoding)


def array(*elements: str, end: str = "\n]") -> bytes:
    return ("[\n " + ",\n ".join(elements) + end).encode()


def table(rows: list[dict], **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, **options)
    return sink.getvalue()


def archive() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("a.jsonl", GOOD)
    return sink.getvalue()


ELEMENT = json.dumps(ROW, ensure_ascii=False)
CELLS = f"内科,t,{ASKED},{ANSWERED}"
BLOCK = f"id=1\nDialogue\n病人：\n{ASKED}\n医生：\n{ANSWERED}\n"
MANY = b"".join(b'{"id": %d, ' % number + GOOD[1:] + b"\n" for number in range(3000))

# Whole files: name, content, how many dialogues are in it, and the reason and line of each reject.
FILES: list[tuple[str, bytes, int, list[tuple[str, int]]]] = [
    ("lines ended CRLF", (GOOD + b"\r\n") * 2, 2, []),
    ("lines ended CR", (GOOD + b"\r") * 2, 2, []),
    ("line ends mixed", GOOD + b"\r\n" + GOOD + b"\n\n  \n" + GOOD, 3, []),
    ("last line cut", GOOD + b"\n" + GOOD[:20], 1, [("invalid_json", 2)]),
    ("byte order mark first", b"\xef\xbb\xbf" + GOOD, 1, []),
    ("UTF-16 without mark", (GOOD.decode() + "\n").encode("utf-16-le") * 2, 2, []),
    ("UTF-16 big-endian", (GOOD.decode() + "\n").encode("utf-16"), 1, []),
    ("UTF-16 cut within a character", ("\n".join([GOOD.decode()] * 2)).encode("utf-16")[:-1], 1, [("encoding", 2)]),
    ("UTF-32", (GOOD.decode() + "\n").encode("utf-32"), 1, []),
    ("UTF-8 row in a GB18030 file", csv(*[CELLS] * 9, encoding="gb18030") + CELLS.encode(), 9, [("encoding", 11)]),
    ("two files in one: UTF-8, then GB18030", MANY + ELEMENT.encode("gb18030"), 3000, [("encoding", 3001)]),
    ("gzip cut short", gzip.compress(MANY)[:-300], -1, [("unreadable_file", -1)]),
    ("gzip with a wrong sum", gzip.compress(MANY)[:-8] + b"\0" * 8, -1, [("unreadable_file", -1)]),
    ("gzip with bytes after its end", gzip.compress(MANY) + b"garbage", -1, [("unreadable_file", -1)]),
    ("one object over many lines", json.dumps(ROW, indent=1).encode(), 1, []),
    ("objects over many lines", json.dumps(ROW, indent=1).encode() * 2, 2, []),
    ("an object cut short", json.dumps(ROW, indent=1).encode() + b'\n{\n "instruction": "a"', 1, [("truncated", 5)]),
    ("array cut in an element", array(ELEMENT, ELEMENT)[:-30], 1, [("truncated", 3)]),
    ("array cut between elements", array(ELEMENT, ELEMENT, end=""), 2, [("truncated", 3)]),
    ("array of one line cut", f"[{ELEMENT}, {ELEMENT[:-20]}".encode(), 1, [("truncated", 1)]),
    (
        "array of one line with a broken string",
        f'[{ELEMENT}, {{"instruction": "a, "output": "b"}}, {ELEMENT}]'.encode(),
        2,
        [("invalid_json", 1)],
    ),
    (
        "array of one line with an element never closed",
        f'[{ELEMENT}, {{"instruction": "a", {ELEMENT}]'.encode(),
        2,
        [("invalid_json", 1)],
    ),
    ("array with a comma at its end", array(ELEMENT, ELEMENT + ","), 2, []),
    ("array without a comma", f"[{ELEMENT}\n{ELEMENT}]".encode(), 2, []),
    ("array with a bracket too many", f"[{ELEMENT}],\n{ELEMENT}]".encode(), 2, [("invalid_json", 2)]),
    ("array with words after its end", array(ELEMENT) + b"\nthe end", 1, [("truncated", 4)]),
    ("two arrays", array(ELEMENT) + array(ELEMENT), 2, []),
    ("array of strings and an object", f'["a", {ELEMENT}]'.encode(), 1, [("not_an_object", 1)]),
    ("array of arrays and an object", f"[[1, [2]], {ELEMENT}]".encode(), 1, [("not_an_object", 1)]),
    ("array with NaN", array(ELEMENT, '{"instruction": NaN, "output": "b"}'), 1, [("invalid_json", 3)]),
    (
        "array with bytes that do not decode",
        array(ELEMENT, ELEMENT).replace(b"output", b"\xff\xff", 1),
        1,
        [("encoding", 2)],
    ),
    ("array with an element 100,000 deep", array(ELEMENT, "[" * DEEP + "]" * DEEP, ELEMENT), 2, [("invalid_json", 3)]),
    (
        "array with an element longer than a row may be",
        f'[{ELEMENT},\n{{"instruction": "{"a" * (LONGEST_ROW + 9)}"}},\n{ELEMENT}]'.encode(),
        2,
        [("too_long", 2)],
    ),
    ("table with a cell too few", csv(CELLS, "内科,t,a"), 1, [("wrong_columns", 3)]),
    ("table with a cell too many", csv(CELLS, CELLS + ",x"), 1, [("wrong_columns", 3)]),
    ("table with a quote never closed", csv(CELLS, f'内科,t,"{ASKED},x', CELLS), 2, [("unclosed_quote", 3)]),
    (
        "table with a quote closed by the next row",
        csv(CELLS, '内科,t,"a,b', f'内科,t,"{ASKED}","{ANSWERED}"'),
        2,
        [("bad_row", 3)],
    ),
    ("table with a NUL", csv(CELLS, "内科,t,a\0,b"), 1, [("bad_characters", 3)]),
    ("table with no words", csv(CELLS, ",,,"), 1, [("no_messages", 3)]),
    ("table with an answer alone", csv(CELLS, ",,,a"), 1, [("starts_with_doctor", 3)]),
    (
        "table with a byte that does not decode",
        csv(CELLS, CELLS, encoding="gb18030")[:-9] + b"\xff\xff\n",
        1,
        [("encoding", 3)],
    ),
    ("table with blank lines", csv(CELLS, "", "  ", CELLS), 2, []),
    ("table with capitals and spaces in its header", f" Ask ,ANSWER\n{ASKED},{ANSWERED}\n".encode(), 1, []),
    ("table ended CR", csv(CELLS, CELLS).replace(b"\n", b"\r"), 2, []),
    (
        "table with a row longer than a row may be",
        csv(CELLS, "内科,t," + "a" * LONGEST_ROW + ",b", CELLS),
        2,
        [("too_long", 3)],
    ),
    ("blocks with words before the first", f"preface\n{BLOCK}".encode(), 1, [("outside_any_block", 1)]),
    ("a block without dialogue", f"{BLOCK}id=2\nDescription\n\n".encode(), 1, [("no_messages", 7)]),
    ("a block without speakers", f"{BLOCK}id=2\nDialogue\n无人说话\n".encode(), 1, [("no_speaker", 7)]),
    ("a block that does not decode", BLOCK.encode() + b"id=2\nDialogue\n\xff\xff\n", 1, [("encoding", 9)]),
    (
        "a block longer than a row may be",
        f"{BLOCK}id=2\nDialogue\n病人：\n".encode() + (b"a" * 99 + b"\n") * (LONGEST_ROW // 99),
        1,
        [("too_long", 7)],
    ),
    ("Parquet with nulls", table([ROW, {"instruction": None, "output": None}]), 1, [("no_messages", 2)]),
    ("Parquet with empty turns", table([{"messages": [USER, DOCTOR]}, {"messages": []}]), 1, [("no_messages", 2)]),
    (
        "Parquet with an unknown role",
        table([{"messages": [USER]}, {"messages": [{"role": "x", "content": "a"}]}]),
        1,
        [("unknown_role", 2)],
    ),
    ("Parquet beside images", table([{**ROW, "image": b"\0" * 1000}]), 1, []),
]

# Files that give nothing: name, content.
HOPELESS: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("white space", b" \n\n\t\n"),
    ("a byte order mark alone", b"\xef\xbb\xbf"),
    ("NULs", b"\0" * 999),
    ("random bytes", bytes(range(256)) * 9),
    ("words", b"just words\nand more words\n"),
    ("an empty array", b"[]"),
    ("brackets alone", b"[" * DEEP),
    ("an empty gzip file", gzip.compress(b"")),
    ("gzip's first bytes alone", b"\x1f\x8b"),
    ("gzip and then words", b"\x1f\x8bwords"),
    ("gzip within gzip", gzip.compress(gzip.compress(GOOD))),
    ("a zip archive", archive()),
    ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"),
    ("Parquet's first bytes alone", b"PAR1"),
    ("Parquet cut short", table([ROW] * 50)[:-20]),
    ("Parquet of other columns", table([{"x": 1}])),
    ("Parquet without rows", table([{"instruction": "a", "output": "b"}])[:0] + table([])),
    ("Parquet, gzipped and cut", gzip.compress(table([ROW] * 50))[:-20]),
    ("Parquet of numbers", table([{"instruction": 1, "output": 2}])),
    ("a header alone", csv()),
    ("a table of other columns", b"a,b,c\n1,2,3\n"),
    ("a table with a column twice", b"ask,ask,answer\na,b,c\n"),
    ("Big5", (ELEMENT.replace("发烧", "發燒") * 9).encode("big5", "ignore")),
    ("one broken line", b'{"instruction": "a'),
    ("HTML", b"<!DOCTYPE html><html><body>404</body></html>"),
]


@pytest.mark.parametrize(("line", "reason"), [pytest.param(*case, id=name) for name, *case in LINES])
def test_a_broken_line(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(GOOD + b"\n" + line + b"\n" + GOOD)
    check(tmp_path, path, 2, [(reason, 2)])


@pytest.mark.parametrize(("content", "kept", "rejects"), [pytest.param(*case, id=name) for name, *case in FILES])
def test_a_broken_file(tmp_path: Path, content: bytes, kept: int, rejects: list[tuple[str, int]]) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    check(tmp_path, path, kept, rejects)


def check(tmp_path: Path, path: Path, kept: int, rejects: list[tuple[str, int]]) -> None:
    """The numbers of dialogues and rejects; -1 stands for some number over nothing."""
    result = import_files([path], tmp_path / "out", names=["file"])
    found = list(read_rejects(tmp_path / "out" / REJECTS))
    assert result.kept == kept or (kept < 0 < result.kept)
    assert [
        (reject.reason, reject.line if line > 0 else line) for reject, (_, line) in zip(found, rejects, strict=True)
    ] == rejects
    assert all(reject.file == "file" and reject.line > 0 and len(reject.detail) < 200 for reject in found)
    assert not any(words in reject.detail for reject in found for words in (ASKED, ANSWERED))
    assert len(list(read_dialogues(tmp_path / "out"))) == result.kept


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in HOPELESS])
def test_a_file_that_gives_nothing(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "strange").write_bytes(content)
    assert call(tmp_path / "strange", tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and "strange" in message and "Traceback" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["strange"]


def test_there_are_a_hundred_kinds() -> None:
    names = [name for kinds in (LINES, FILES, HOPELESS) for name, *_ in kinds]
    assert len(set(names)) == len(names) >= 100


def call(*arguments: object) -> int:
    *files, out = map(str, arguments)
    return foundation.cli.run(zhongjing.app, ["corpus", "import", *files, "--out", out])


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def _dangling(folder: Path) -> Path:
    (folder / "dangling").symlink_to(folder / "nowhere")
    return folder / "dangling"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


PLACES: list[tuple[str, Callable[[Path], Path], str]] = [
    ("missing", lambda folder: folder / "missing", "no such file"),
    ("a folder", lambda folder: folder, "a folder"),
    ("links in a circle", _loop, "circle"),
    ("a link to nothing", _dangling, "no such file"),
    ("a pipe", _pipe, "a pipe or a device"),
    ("a device", lambda _folder: Path("/dev/null"), "a pipe or a device"),
    ("a name too long", lambda folder: folder / ("x" * 300), "too long"),
    ("a file as a folder", lambda folder: folder / "good" / "x", "no such file"),
]


@pytest.mark.parametrize(("make", "message"), [pytest.param(*case, id=name) for name, *case in PLACES])
def test_a_place_that_holds_no_file(
    tmp_path: Path, make: Callable[[Path], Path], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good").write_bytes(GOOD)
    path = make(tmp_path)
    assert call(path, tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert call(path, tmp_path / "good", tmp_path / "out") == 1
    assert len(list(read_dialogues(tmp_path / "out"))) == 1


def test_the_exit_status_says_what_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good").write_bytes(GOOD)
    (tmp_path / "some").write_bytes(GOOD + b"\nbroken\n")
    (tmp_path / "cut").write_bytes(gzip.compress(MANY)[:-300])
    assert call(tmp_path / "good", tmp_path / "a") == 0
    assert capsys.readouterr().err == ""
    assert call(tmp_path / "some", tmp_path / "b") == 0
    assert "1 left out" in capsys.readouterr().err
    assert call(tmp_path / "good", tmp_path / "cut", tmp_path / "c") == 1
    assert "cut short" in capsys.readouterr().err
    assert call(tmp_path / "missing", tmp_path / "d") == 2


def _as(user: int, work: Callable[[], None]) -> int:
    """The exit status of `work` in a process of another user."""
    child = os.fork()
    if child == 0:
        os.setuid(user)
        try:
            work()
        except ZhongjingError as error:
            os._exit(3 if "permission denied" in str(error) else 4)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("locked", ["file", "folder", "output"])
def test_permission_denied(locked: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "in" / "file").write_bytes(GOOD)
        (folder / "place").mkdir()
        folder.chmod(0o755)
        (folder / "place").chmod(0o555 if locked == "output" else 0o777)
        (folder / "in" / "file").chmod(0o000 if locked == "file" else 0o644)
        (folder / "in").chmod(0o000 if locked == "folder" else 0o755)
        nobody = 65534 if os.getuid() == 0 else os.getuid()
        status = _as(nobody, lambda: import_files([folder / "in" / "file"], folder / "place" / "out") and None)
        (folder / "in").chmod(0o755)
        assert status == 3
        assert not any((folder / "place").iterdir())


def _in_small_space(bytes_allowed: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_allowed, bytes_allowed))

    command = [sys.executable, "-m", "zhongjing", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=120)


def test_no_room_for_the_output_leaves_the_old_one(tmp_path: Path) -> None:
    path, out = tmp_path / "file", tmp_path / "out"
    path.write_bytes(GOOD)
    assert call(path, out) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    path.write_bytes(b"".join(json.dumps({**ROW, "id": os.urandom(300).hex()}).encode() + b"\n" for _ in range(3000)))
    done = _in_small_space(1 << 18, "corpus", "import", path, "--out", out)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "unchanged" in done.stderr and "Traceback" not in done.stderr
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "out"]


def test_a_line_of_a_hundred_megabytes_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as stream:
        stream.write(GOOD + b'\n{"instruction": "')
        for _ in range(100):
            stream.write(b"a" * 1_000_000)
        stream.write(b'", "output": "b"}\n' + GOOD)
    measure = (
        "import resource, sys; from pathlib import Path; from corpus.importing import import_files;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "result = import_files([Path(sys.argv[1])], Path(sys.argv[2]));"
        "print(result.kept, result.rejected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", measure, path, tmp_path / "out"], capture_output=True, text=True)
    kept, *rejected, kilobytes = done.stdout.split()
    assert (kept, " ".join(rejected)) == ("2", "{'too_long': 1}"), done.stderr
    assert int(kilobytes) < 100_000
