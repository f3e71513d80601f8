"""Raw files to dialogue sets: every format, every kind of damage."""

import csv
import gzip
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.departments import department_of
from corpus.importing import import_files
from corpus.records import DEPARTMENTS, Dialogue
from corpus.sets import DIALOGUES, REJECTS, read_dialogues
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from foundation.rejects import Reject, read_rejects

ASKED, ANSWERED = "孩子发烧两天了怎么办？", "体温多少？超过38.5度可以用布洛芬。"
THANKS, WELCOME = "好的谢谢", "不客气"
TURNS = [("user", ASKED), ("assistant", ANSWERED), ("user", THANKS), ("assistant", WELCOME)]

CMTMEDQA = {
    "id": "j1",
    "cate1": "儿科",
    "cate2": "小儿内科",
    "instruction": THANKS,
    "input": "",
    "output": WELCOME,
    "history": [[ASKED, ANSWERED]],
}
SHAREGPT = {"conversations": [{"from": "human" if role == "user" else "gpt", "value": text} for role, text in TURNS]}
MESSAGES = {"id": 7, "messages": [{"role": role, "content": text} for role, text in TURNS]}
DISC = {"_id": "x", "source": "a", "conversation": [{"role": role, "content": text} for role, text in TURNS]}
DIALMED = {
    "label": ["布洛芬"],
    "disease": ["感冒"],
    "dialog": [f"{'患者' if role == 'user' else '医生'}：{text}" for role, text in TURNS],
}
HUATUOGPT = {"data": [f"{'问' if role == 'user' else '答'}：{text}" for role, text in TURNS]}
SINGLE = [
    {"instruction": ASKED, "input": "", "output": ANSWERED},
    {"instruct": ASKED, "output": ANSWERED},
    {"questions": [[ASKED, "换个说法"]], "answers": [ANSWERED]},
    {"question": ASKED, "answer": ANSWERED},
    {"query": ASKED, "response": ANSWERED},
]
MEDDIALOG = f"""id=12
http://example.com/12
Doctor faculty
某医院 儿科
Description
疾病：
感冒
内容：
孩子流涕
Dialogue
医生：
{ANSWERED}
病人：
{THANKS}
医生：{WELCOME}

id=13
Dialogue
病人：{ASKED}
医生：{ANSWERED}
"""


def read(tmp_path: Path, *files: Path) -> tuple[list[Dialogue], list[Reject]]:
    out = tmp_path / "out"
    result = import_files(files, out, names=[file.name for file in files])
    dialogues, rejects = list(read_dialogues(out)), list(read_rejects(out / REJECTS))
    assert (result.kept, sum(result.rejected.values())) == (len(dialogues), len(rejects))
    assert result.read == len(dialogues) + len(rejects)
    return dialogues, rejects


def said(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in dialogue.messages]


def dump(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize("row", [CMTMEDQA, SHAREGPT, MESSAGES, DISC, DIALMED, HUATUOGPT], ids=str)
@pytest.mark.parametrize("container", ["lines", "array", "indented", "gzip", "parquet", "gb18030", "utf-16"])
def test_multi_turn_formats_in_every_container(tmp_path: Path, row: dict, container: str) -> None:
    path = tmp_path / "file.dat"
    if container == "lines":
        path.write_text(dump(row), encoding="utf-8-sig")
    elif container == "array":
        path.write_text(json.dumps([row]), encoding="utf-8")
    elif container == "indented":
        path.write_text(json.dumps([row], ensure_ascii=False, indent=1), encoding="utf-8")
    elif container == "gzip":
        path.write_bytes(gzip.compress(dump(row).encode()))
    elif container == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        path.write_bytes(dump(row).encode(container))
    dialogues, rejects = read(tmp_path, path)
    assert [said(dialogue) for dialogue in dialogues] == [TURNS]
    assert rejects == []
    assert dialogues[0].meta.file == "file.dat"


@pytest.mark.parametrize("row", SINGLE, ids=lambda row: "+".join(row))
def test_single_turn_formats(tmp_path: Path, row: dict) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([row]))
    assert said(read(tmp_path, path)[0][0]) == TURNS[:2]


def test_labels_ids_and_departments_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(dump(CMTMEDQA, DIALMED, MESSAGES), encoding="utf-8")
    first, second, third = read(tmp_path, path)[0]
    assert (first.department, first.meta.raw_id, first.meta.labels, first.meta.line) == ("儿科", "j1", ["小儿内科"], 1)
    assert (second.department, second.meta.labels, second.meta.line) == (None, ["感冒", "布洛芬"], 2)
    assert third.meta.raw_id == "7"


def test_meddialog_blocks(tmp_path: Path) -> None:
    path = tmp_path / "2020.txt"
    path.write_text(MEDDIALOG, encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert rejects == []
    assert said(dialogues[0]) == [("user", "孩子流涕"), *TURNS[1:]]
    assert (dialogues[0].meta.line, dialogues[0].meta.raw_id, dialogues[0].meta.labels) == (1, "12", ["感冒"])
    assert said(dialogues[1]) == TURNS[:2]


def table(rows: list[list[str]], delimiter: str = ",") -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
def test_csv_of_questions_and_answers(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [
        ["department", "title", "ask", "answer"],
        ["心血管科", "标题", 'a "quoted", 问题？\n第二行', ANSWERED],
        ["nan", ASKED, "无", ANSWERED],
    ]
    path = tmp_path / "toyhom.csv"
    path.write_bytes(table(rows, delimiter).encode(encoding))
    first, second = read(tmp_path, path)[0]
    assert said(first)[0] == ("user", 'a "quoted", 问题？\n第二行')
    assert (first.department, first.meta.line, first.meta.labels) == ("内科", 2, ["心血管科"])
    assert said(second) == TURNS[:2]
    assert (second.department, second.meta.line, second.meta.labels) == (None, 4, [])


@pytest.mark.parametrize("separator", ["\n", " ", "\\n"])
def test_csv_with_whole_dialogues_in_a_cell(tmp_path: Path, separator: str) -> None:
    cell = separator.join(f"{'患者' if role == 'user' else '医生'}：{text}" for role, text in TURNS)
    path = tmp_path / "d.csv"
    path.write_bytes(table([["id", "department", "dialogue"], ["c1", "皮肤科", cell]]).encode("gb18030"))
    dialogues, _ = read(tmp_path, path)
    assert said(dialogues[0]) == TURNS
    assert dialogues[0].department == "皮肤性病科"


BROKEN_ROWS = {
    b'{"messages": [{"role": "user", "content": "cut': "invalid_json",
    b'{"instruction": "a", "output": "b", "department": NaN}': "invalid_json",
    b'{"instruction": "a", "instruction": "b", "output": "c"}': "invalid_json",
    b'{"instruction": "a\\u0000", "output": "b"}': "invalid_json",
    b'{"instruction": "a\\ud800", "output": "b"}': "invalid_json",
    b'{"n": ' + b"9" * 5000 + b"}": "invalid_json",
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "invalid_json",
    b'{"instruction": "\xff\xfe\xfd", "output": "b"}': "encoding",
    b'{"messages": [{"role": "robot", "content": "a"}]}': "unknown_role",
    b'{"messages": [{"content": "a"}]}': "unknown_role",
    b'{"messages": [{"role": "user"}]}': "bad_turn",
    b'{"messages": [{"role": "user", "content": 3}]}': "bad_turn",
    b'{"messages": ["a", {"role": "user"}]}': "bad_turn",
    b'{"messages": {"role": "user"}}': "messages_not_a_list",
    b'{"messages": []}': "no_messages",
    b'{"messages": [{"role": "user", "content": "  "}]}': "no_messages",
    b'{"hello": "world"}': "no_messages",
    b"[1, 2]": "not_an_object",
    b'"text"': "not_an_object",
    b'{"history": [["a"]], "instruction": "b", "output": "c"}': "bad_turn",
    b'{"history": "a", "instruction": "b", "output": "c"}': "messages_not_a_list",
    '{"dialog": ["没有说话人"]}'.encode(): "no_speaker",
    '{"messages": [{"role": "assistant", "content": "吃药吧"}, {"role": "user", "content": "好"}]}'.encode(): (
        "starts_with_doctor"
    ),
    '{"messages": [{"role": "user", "content": "疼"}, {"role": "system", "content": "x"}]}'.encode(): (
        "misplaced_system"
    ),
}


@pytest.mark.parametrize(("row", "reason"), BROKEN_ROWS.items(), ids=[str(index) for index in range(len(BROKEN_ROWS))])
def test_a_broken_row_is_named_and_the_good_ones_go_on(tmp_path: Path, row: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(dump(MESSAGES).encode() + row + b"\n" + dump(DIALMED).encode())
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) == 2
    assert [(reject.reason, reject.file, reject.line) for reject in rejects] == [(reason, "a.jsonl", 2)]
    assert all(len(reject.detail) < 200 for reject in rejects)


def test_a_truncated_array_gives_its_whole_elements_and_one_reject(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([CMTMEDQA, SINGLE[0], MESSAGES], ensure_ascii=False, indent=1)[:-60])
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) == 2
    assert [reject.reason for reject in rejects] == ["truncated"]
    assert path.read_text().split("\n")[rejects[0].line - 1] == " {"


@pytest.mark.parametrize(
    "damage",
    [
        ('"output": "不客气"', '"output": "不客气'),
        ('"id": "j1",', '"id": "j1" "'),
        ('  "cate1": "儿科",', "  {"),
        ("]\n  ]", "]"),
    ],
)
def test_a_broken_element_of_an_array_spoils_no_other(tmp_path: Path, damage: tuple[str, str]) -> None:
    text = json.dumps([SINGLE[0], CMTMEDQA, SINGLE[1]], ensure_ascii=False, indent=1)
    assert damage[0] in text
    path = tmp_path / "a.json"
    path.write_text(text.replace(*damage))
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) == 2
    assert [(reject.reason, reject.line) for reject in rejects] == [("invalid_json", 7)]


def test_elements_of_mixed_shape_have_their_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[\n" + ",\n".join([json.dumps(CMTMEDQA), json.dumps(SINGLE[1]), "5"]) + "\n]\n")
    dialogues, rejects = read(tmp_path, path)
    assert [dialogue.meta.line for dialogue in dialogues] == [2, 3]
    assert [(reject.reason, reject.line) for reject in rejects] == [("not_an_object", 4)]


def test_an_undecodable_cell_rejects_its_row_alone(tmp_path: Path) -> None:
    lines = table([["department", "title", "ask", "answer"], *(["内科", "t", f"{ASKED}{n}", ANSWERED] for n in "123")])
    raw = lines.encode("gb18030").split(b"\r\n")
    raw[2] = raw[2][:8] + b"\xff\xff" + raw[2][8:]
    path = tmp_path / "a.csv"
    path.write_bytes(b"\r\n".join(raw))
    dialogues, rejects = read(tmp_path, path)
    assert [dialogue.meta.line for dialogue in dialogues] == [2, 4]
    assert [(reject.reason, reject.line) for reject in rejects] == [("encoding", 3)]


def test_a_quote_never_closed_rejects_its_own_line(tmp_path: Path) -> None:
    rows = "".join(f"内科,t,{ASKED}{n},{ANSWERED}\n" for n in range(300))
    path = tmp_path / "a.csv"
    path.write_text(f'department,title,ask,answer\n内科,t,"{ASKED},x\n{rows}内科,t,a\n', encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) == 300
    assert [(reject.reason, reject.line) for reject in rejects] == [("unclosed_quote", 2), ("wrong_columns", 303)]


@pytest.mark.parametrize(
    "content",
    [b"", b"  \n\n", b"just words\nand more", b"\x00\x01\x02", b"\x1f\x8bbroken", b"PAR1broken", b"[]", b"a,b\n1,2"],
)
def test_a_file_that_gives_nothing_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strange.dat"
    path.write_bytes(content)
    with pytest.raises(ZhongjingError, match=r"strange\.dat"):
        import_files([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["strange.dat"]


def test_beside_a_good_file_an_unreadable_one_is_a_reject(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.dat"
    good.write_text(dump(MESSAGES))
    bad.write_text("nothing known")
    dialogues, rejects = read(tmp_path, bad, good)
    assert len(dialogues) == 1
    assert [(reject.reason, reject.file) for reject in rejects] == [("unreadable_file", "bad.dat")]


def test_a_missing_file_or_folder_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(ZhongjingError):
            import_files([path], tmp_path / "out")


def test_turns_of_one_role_are_merged_and_a_doctors_greeting_is_dropped(tmp_path: Path) -> None:
    turns = ["医生：您好，请问有什么可以帮您？", "患者：咳嗽", "患者：三天了", "医生： ", "医生：有痰吗？"]
    path = tmp_path / "a.jsonl"
    path.write_text(dump({"dialog": turns}))
    result = import_files([path], tmp_path / "out")
    assert said(next(iter(read_dialogues(tmp_path / "out")))) == [("user", "咳嗽\n三天了"), ("assistant", "有痰吗？")]
    assert result.details["greetings_dropped"] == 1


def test_two_files_of_one_name_give_different_ids_and_one_file_is_not_read_twice(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "a.jsonl" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(dump(MESSAGES))
    dialogues, rejects = read(tmp_path, *paths)
    assert len({dialogue.id for dialogue in dialogues}) == 2
    assert not rejects
    with pytest.raises(ZhongjingError, match="given twice"):
        import_files([paths[0], paths[0]], tmp_path / "out")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(dump(*([MESSAGES, DIALMED, CMTMEDQA] * 5)))
    import_files([path], tmp_path / "one", names=["a.jsonl"])
    import_files([path], tmp_path / "two", names=["a.jsonl"])
    assert read_manifest(tmp_path / "one").sha256 == read_manifest(tmp_path / "two").sha256
    assert (tmp_path / "one" / DIALOGUES).read_bytes() == (tmp_path / "two" / DIALOGUES).read_bytes()


def test_an_output_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(dump(MESSAGES))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(ZhongjingError, match="holds other things"):
        import_files([path], tmp_path / "home")
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("皮肤科", "皮肤性病科"),
        ("传染科", "传染病科"),
        ("骨科", "外科"),
        ("神经外科", "外科"),
        ("呼吸内科", "内科"),
        ("消化科", "内科"),
        ("耳鼻喉科", "五官科"),
        ("小儿内科", "儿科"),
        ("中医妇科", "中医科"),
        ("肿瘤放疗", "肿瘤科"),
        ("nan", None),
        ("", None),
        (None, None),
        ("火星科", None),
    ],
)
def test_departments_are_one_vocabulary(name: str | None, expected: str | None) -> None:
    assert department_of(name) == expected


def test_a_department_stands_for_itself() -> None:
    assert [department_of(name) for name in DEPARTMENTS] == list(DEPARTMENTS)


def sound_files() -> dict[str, bytes]:
    rows = [CMTMEDQA, MESSAGES, DIALMED, SINGLE[0]]
    table_rows = [
        ["department", "title", "ask", "answer"],
        *(["内科", "t", f'{ASKED}"{n}', ANSWERED] for n in range(4)),
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([MESSAGES] * 3), sink)
    return {
        "lines": dump(*rows).encode(),
        "array": json.dumps(rows, ensure_ascii=False, indent=1).encode(),
        "csv": table(table_rows).encode("gb18030"),
        "blocks": MEDDIALOG.encode(),
        "gzip": gzip.compress(dump(*rows).encode(), mtime=0),
        "parquet": sink.getvalue(),
        "utf-16": dump(*rows).encode("utf-16"),
    }


SOUND = sound_files()


@given(st.sampled_from(sorted(SOUND)), st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_files_end_in_rejects_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(SOUND[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
        content = content or bytearray(b" ")
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "file").write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        result = import_files([folder / "file"], folder / "out")
    except ZhongjingError as error:
        assert "file" in str(error)
        assert [path.name for path in folder.iterdir()] == ["file"]
    else:
        assert result.kept == len(list(read_dialogues(folder / "out"))) > 0


def test_a_gzip_file_cut_short_gives_its_whole_rows_and_one_reject(tmp_path: Path) -> None:
    rows = [{"id": number, **SINGLE[0]} for number in range(3000)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(dump(*rows).encode(), mtime=0)[:-200])
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) > 1000
    assert [(reject.reason, reject.file) for reject in rejects] == [("unreadable_file", "a.jsonl.gz")]


def test_a_missing_file_does_not_stop_the_good_ones(tmp_path: Path) -> None:
    good = tmp_path / "good.jsonl"
    good.write_text(dump(MESSAGES))
    faults: list[ZhongjingError] = []
    result = import_files([tmp_path / "missing.jsonl", good, tmp_path], tmp_path / "out", on_fault=faults.append)
    assert (result.kept, result.rejected) == (1, {"unreadable_file": 2})
    assert [Path(str(fault.where)) for fault in faults] == [tmp_path / "missing.jsonl", tmp_path]
    assert [entry.name for entry in read_manifest(tmp_path / "out").inputs] == [good.as_posix()]


def test_where_every_row_is_broken_the_error_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("department,ask\n内科,头疼怎么办\n", encoding="utf-8")
    with pytest.raises(ZhongjingError, match="no_messages") as caught:
        import_files([path], tmp_path / "out", names=["a.csv"])
    assert caught.value.where == "a.csv:2"
    assert "头疼" not in str(caught.value)


def test_a_file_cut_short_is_rejected_at_the_line_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(dump(*({"id": number, **SINGLE[0]} for number in range(3000))).encode())[:-200])
    dialogues, rejects = read(tmp_path, path)
    assert rejects[0].line == len(dialogues) + 1


def test_an_array_on_one_line_cut_inside_a_character_gives_its_whole_elements(tmp_path: Path) -> None:
    path = tmp_path / "raw.json"
    content = json.dumps([SINGLE[0], SINGLE[0]], ensure_ascii=False).encode()
    path.write_bytes(content[: content.rindex("芬".encode()) + 1])
    import_files([path], tmp_path / "out")
    assert [dialogue.messages[0].content for dialogue in read_dialogues(tmp_path / "out")] == [ASKED]
    assert [reject.reason for reject in read_rejects(tmp_path / "out" / REJECTS)] == ["truncated"]


def test_a_broken_first_line_hides_no_format(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('…cut off"}\n' + dump(MESSAGES), encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) == 1
    assert [(reject.reason, reject.line) for reject in rejects] == [("invalid_json", 1)]


def test_an_unclosed_element_on_a_line_of_its_own_spoils_no_other(tmp_path: Path) -> None:
    lines = [json.dumps({"id": number, **SINGLE[0]}, ensure_ascii=False) for number in range(3)]
    path = tmp_path / "a.json"
    path.write_text("[\n" + ",\n".join([lines[0], lines[1][:30], lines[2]]) + "\n]", encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert [dialogue.meta.raw_id for dialogue in dialogues] == ["0", "2"]
    assert [reject.line for reject in rejects] == [3]


@pytest.mark.parametrize("indent", [0, 1])
def test_objects_within_an_element_begin_no_new_one(tmp_path: Path, indent: int) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([MESSAGES, SHAREGPT, DISC], ensure_ascii=False, indent=indent), encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert (len(dialogues), rejects) == (3, [])


def test_utf16_has_line_feeds_alone_between_its_lines_and_damage_spoils_one(tmp_path: Path) -> None:
    whole = json.dumps({"instruction": "头疼\u2028怎么办？\x85", "output": ANSWERED}, ensure_ascii=False)
    path = tmp_path / "a.jsonl"
    path.write_bytes(f"{whole}\n{whole}".encode("utf-16")[:-3])
    dialogues, rejects = read(tmp_path, path)
    assert len(dialogues) == 1
    assert [(reject.reason, reject.line) for reject in rejects] == [("encoding", 2)]


def test_parquet_may_be_gzipped(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([SINGLE[0]]), tmp_path / "a.parquet")
    zipped = tmp_path / "a.parquet.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert len(read(tmp_path, zipped)[0]) == 1


def test_a_column_named_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ask,ask,answer\n一,二,三\n", encoding="utf-8")
    with pytest.raises(ZhongjingError, match="ask more than once"):
        import_files([path], tmp_path / "out")


def test_a_file_name_that_is_no_utf8_is_spelt_out(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.jsonl")
    path.write_text(dump(MESSAGES))
    import_files([path], tmp_path / "out")
    (dialogue,) = read_dialogues(tmp_path / "out")
    assert dialogue.meta.file.endswith("\\xff.jsonl")


WRAPPED = json.dumps({"data": [CMTMEDQA, SINGLE[0]]}, ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        WRAPPED,
        json.dumps({"version": 1, "about": {"rows": 2}, "data": [CMTMEDQA, SINGLE[0]], "total": 2}),
        json.dumps({"data": [CMTMEDQA], "meta": {"data": []}, "test": [SINGLE[0]]}, indent=2),
        json.dumps({"train": [CMTMEDQA, SINGLE[0]], "test": []}, indent="\t", ensure_ascii=False),
        WRAPPED.replace(": [", " :\n\n[\n").replace("}, {", "},\n{"),
    ],
)
def test_an_object_around_the_rows_is_opened(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrapped.json"
    path.write_text(text, encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert rejects == []
    assert [dialogue.messages[0].content for dialogue in dialogues] == [ASKED, ASKED]
    assert dialogues[0].meta.raw_id == "j1"


def test_a_wrapper_keeps_lines_and_faults(tmp_path: Path) -> None:
    path = tmp_path / "wrapped.json"
    rows = [json.dumps(row, ensure_ascii=False) for row in (SINGLE[0], {"broken": 1}, SINGLE[1])]
    path.write_text('{"name": "x",\n"data": [\n' + ",\n".join(rows) + '\n], "test": [\n{"instruction', encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert [dialogue.meta.line for dialogue in dialogues] == [3, 5]
    assert [(reject.reason, reject.line) for reject in rejects] == [("no_messages", 4), ("truncated", 7)]


def test_a_wrapper_is_never_held_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corpus.readers.json_files.LONGEST_ROW", 2_000)
    path = tmp_path / "wrapped.json"
    path.write_text(json.dumps({"data": [{**SINGLE[0], "id": str(number)} for number in range(200)]}), encoding="utf-8")
    dialogues, rejects = read(tmp_path, path)
    assert (len(dialogues), rejects) == (200, [])
