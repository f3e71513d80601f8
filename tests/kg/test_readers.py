"""Every circulating format, and everything that goes wrong in files."""

import csv
import gzip
import io
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.errors import ZhongjingError
from foundation.rejects import Reject
from kg.readers import read_triples
from kg.readers.aliases import Alias, read_aliases
from kg.records import Triple

PNEUMONIA = [("肺炎", "临床表现", "咳嗽"), ("肺炎", "临床表现", "发热")]


def triples(path: Path, form: str | None = None) -> list[tuple[str, str, str]]:
    return [(t.subject, t.relation, t.object) for t in read_triples(path, form) if isinstance(t, Triple)]


def rejects(path: Path) -> list[tuple[str, int]]:
    return [(r.reason, r.line) for r in read_triples(path) if isinstance(r, Reject)]


@pytest.mark.parametrize(
    "header",
    [
        "HEAD,RELATION,TAIL\n",
        "head,relation,tail\n",
        "头实体,关系,尾实体\n",
        ":subject,predicate,object\n",
        "",
        "\ufeffhead,relation,tail\n",
    ],
)
@pytest.mark.parametrize("separator", [",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_tables_of_any_header_separator_and_encoding(write, header: str, separator: str, encoding: str) -> None:
    if encoding != "utf-8":
        header = header.removeprefix("\ufeff")
    text = (header + "肺炎,临床表现,咳嗽\n肺炎,临床表现,发热\n").replace(",", separator)
    assert triples(write(text.encode(encoding))) == PNEUMONIA


def test_gzip_and_quoted_cells(write) -> None:
    path = write(gzip.compress('肺炎,临床表现,"咳嗽, 有痰"\n'.encode()), "graph.csv.gz")
    assert triples(path) == [("肺炎", "临床表现", "咳嗽, 有痰")]


def test_type_columns_are_kept(write) -> None:
    path = write("head,head_type,relation,tail,tail_type\n肺炎,疾病,临床表现,咳嗽,症状\n")
    (triple,) = read_triples(path)
    assert isinstance(triple, Triple)
    assert (triple.subject_type, triple.object_type, triple.line) == ("疾病", "症状", 2)


DOCUMENTS = {
    "cmekg": {"疾病": [{"名称": "肺炎", "临床表现": ["咳嗽", "发热"]}]},
    "nested": {"肺炎": {"临床表现": ["咳嗽", "发热"]}},
    "spo": [{"text": "略", "spo_list": [["肺炎", "临床表现", "咳嗽"], ["肺炎", "临床表现", "发热"]]}],
    "spo of CMeIE": [
        {
            "text": "略",
            "spo_list": [
                {"subject": "肺炎", "predicate": "临床表现", "object": {"@value": name}, "subject_type": "疾病"}
                for name in ("咳嗽", "发热")
            ],
        }
    ],
}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
@pytest.mark.parametrize("indent", [None, 1])
def test_json_documents(write, name: str, indent: int | None) -> None:
    assert triples(write(json.dumps(DOCUMENTS[name], ensure_ascii=False, indent=indent), "g.json")) == PNEUMONIA


@pytest.mark.parametrize("name", ["spo", "spo of CMeIE"])
def test_json_lines(write, name: str) -> None:
    path = write("\n".join(json.dumps(item, ensure_ascii=False) for item in DOCUMENTS[name] * 2), "g.jsonl")
    assert triples(path) == PNEUMONIA * 2
    assert [item.line for item in read_triples(path)] == [1, 1, 2, 2]


@pytest.mark.parametrize("copies", [1, 3])
def test_qasystem_lines_without_their_running_text(write, copies: int) -> None:
    row = {
        "_id": {"$oid": "5"},
        "name": "肺炎",
        "desc": "肺部的炎症。",
        "symptom": ["咳嗽"],
        "common_drug": ["阿莫西林"],
        "cure_department": ["内科", "呼吸内科"],
        "get_prob": "0.5%",
    }
    path = write("\n".join([json.dumps(row, ensure_ascii=False)] * copies), "medical.json")
    assert (
        triples(path)
        == [
            ("肺炎", "symptom", "咳嗽"),
            ("肺炎", "common_drug", "阿莫西林"),
            ("肺炎", "cure_department", "内科"),
            ("肺炎", "cure_department", "呼吸内科"),
            ("肺炎", "get_prob", "0.5%"),
        ]
        * copies
    )


def test_bad_rows_are_reported_with_their_lines_and_the_rest_goes_in(write) -> None:
    rows = [
        "head,relation,tail",
        "肺炎,临床表现,咳嗽",
        "肺炎,,咳嗽",
        "肺炎,临床表现",
        "a,b,c,d,e",
        "肺炎,并发症,肺炎",
        "肺" * 100_000 + ",临床表现,咳嗽",
        "肺\x00炎,临床表现,咳嗽",
        '"肺炎,临床表现,咳嗽',
        "",
        "肺炎,临床表现,发热",
    ]
    path = write("\n".join(rows).encode() + "\n坏,行,x".encode() + b"\xff\xfe\n")
    assert triples(path) == PNEUMONIA
    assert rejects(path) == [
        ("empty_name", 3),
        ("columns", 4),
        ("columns", 5),
        ("self_loop", 6),
        ("long_name", 7),
        ("bad_character", 8),
        ("bad_quotes", 9),
        ("bad_encoding", 12),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b" \n\n", "empty_file"),
        (pickle.dumps({"a": 1}), "pickle"),
        (pickle.dumps({"a": 1}, protocol=0), "pickle"),
        (b"PK\x03\x04rest", "unknown_format"),
        ("只是一段话，没有列。\n第二行".encode(), "unknown_format"),
        (b"{", "bad_json"),
        (b'"text"', "unknown_format"),
        (b"[1, 2]", "unknown_shape"),
        (gzip.compress(b"a,b,c\n" * 1000)[:-20], "damaged"),
    ],
)
def test_files_that_are_no_graph(write, content: bytes, reason: str) -> None:
    found = [item for item in read_triples(write(content, "x.dat")) if isinstance(item, Reject)]
    assert reason in {item.reason for item in found}
    assert not any("只是" in item.detail for item in found)


def test_a_document_cut_short_gives_what_stands_before_the_cut(write) -> None:
    text = '{\n"肺炎": {"临床表现": ["咳嗽"]},\n"感冒": {"临床表现": ["鼻塞"]},\n"痛风": {"临床'
    path = write(text, "g.json")
    assert triples(path) == [("肺炎", "临床表现", "咳嗽"), ("感冒", "临床表现", "鼻塞")]
    assert rejects(path) == [("bad_json", 4)]


def test_a_one_line_document_cut_inside_a_character_gives_what_stands_before_it(write) -> None:
    content = '{"痛风": {"临床表现": ["红肿"]}, "肝炎": {"临床表现": ["黄疸"]}}'.encode()
    path = write(content[: content.index("疸".encode()) + 1], "graph.json")
    assert triples(path) == [("痛风", "临床表现", "红肿")]
    assert {line for _, line in rejects(path)} == {1}


def test_a_record_without_a_name_is_no_statement_about_its_kind(write) -> None:
    path = write('{"疾病": [{"名称": "流感", "检查": ["血常规"]}, {"检查": ["胸片"]}]}', "graph.json")
    assert triples(path) == [("流感", "检查", "血常规")]
    assert rejects(path) == [("empty_name", 1)]
    assert triples(write('{"手术": {"并发症": ["感染"]}}', "other.json")) == [("手术", "并发症", "感染")]


def test_a_nul_in_a_short_table_costs_its_row(write) -> None:
    path = write("head,relation,tail\n肺\0炎,临床表现,胸痛\n流感,临床表现,发热\n")
    assert triples(path) == [("流感", "临床表现", "发热")]
    assert rejects(path) == [("bad_character", 2)]


def test_faults_inside_json_cost_one_item(write) -> None:
    items = ['"a": {"r": ["b"]}', '"a": {"r": ["c"]}', '"n": {"r": [NaN]}', '"s": {"r": ["\\ud800"]}']
    items += ['"k": {"r": ["x"], "r": ["y"]}', '"i": {"r": [7]}', '"z": {"r": ["y"]}']
    text = "{" + ",\n".join(items) + "}"
    path = write(text, "g.json")
    assert triples(path) == [("a", "r", "b"), ("z", "r", "y")]
    assert rejects(path) == [("bad_json", 2), ("bad_json", 3), ("bad_json", 4), ("bad_json", 5), ("not_text", 6)]


def test_missing_file_folder_and_unknown_format(write, tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="no such file"):
        list(read_triples(tmp_path / "none.csv"))
    with pytest.raises(ZhongjingError, match="folder"):
        list(read_triples(tmp_path))
    with pytest.raises(ZhongjingError, match="no such graph format"):
        list(read_triples(write("a,b,c"), "rdf"))


@pytest.mark.parametrize(("form", "name"), [("nested", "nested"), ("cmekg", "cmekg"), ("spo", "spo")])
def test_the_format_may_be_given(write, form: str, name: str) -> None:
    assert triples(write(json.dumps(DOCUMENTS[name], ensure_ascii=False)), form) == PNEUMONIA


NAMES = st.text(st.sampled_from('肺炎发热咳嗽的汤ab1,"\t|;、，()-'), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=8))
def test_what_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "g.csv"
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([("head", "relation", "tail"), *rows])
    path.write_text(stream.getvalue(), encoding="utf-8")
    stripped = [tuple(" ".join(cell.split()) for cell in row) for row in rows]
    expected = [row for row in stripped if all(row) and row[0] != row[2]]
    assert triples(path, "csv") == expected


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_triples_or_rejects(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "g"
    path.write_bytes(content)
    for item in read_triples(path):
        assert isinstance(item, Triple | Reject)
        assert item.line >= 1


def test_aliases_one_or_many_and_their_faults(write) -> None:
    path = write(
        '{\n"发烧": "发热",\n"上感": ["感冒", "上呼吸道感染"],\n"x": 3,\n"y": "y",\n"": "z"\n}', "aliases.json"
    )
    found = list(read_aliases(path))
    assert [(a.alias, a.canonical, a.line) for a in found if isinstance(a, Alias)] == [
        ("发烧", "发热", 2),
        ("上感", "感冒", 3),
        ("上感", "上呼吸道感染", 3),
    ]
    assert [(r.reason, r.line) for r in found if isinstance(r, Reject)] == [
        ("not_text", 4),
        ("self_alias", 5),
        ("empty_name", 6),
    ]


def test_an_alias_pickle_is_refused_with_the_reason(write) -> None:
    (reject,) = read_aliases(write(pickle.dumps({"发烧": "发热"}), "aliases.json"))
    assert isinstance(reject, Reject)
    assert reject.reason == "pickle"


def test_of_two_lines_the_second_cut_short_the_first_goes_in(write) -> None:
    found = list(read_triples(write('{"name": "肺炎", "symptom": ["发热"]}\n{"name": "流感", "sym', "qa.jsonl")))
    assert [(one.subject, one.object) for one in found if isinstance(one, Triple)] == [("肺炎", "发热")]
    assert [(one.reason, one.line) for one in found if isinstance(one, Reject)] == [("bad_json", 2)]


@pytest.mark.parametrize(
    "header",
    [
        "实体1,关系,实体2",
        "主语,谓语,宾语",
        "entity_a,rel,entity_b",
        "起始实体,关系类型,结束实体",
        ":START_ID,:TYPE,:END_ID",
        "h,r,t",
        "x,y,z",
        "Head Entity,Relation Type,Tail Entity",
        "疾病名称,关系,表现名称",
    ],
)
def test_headers_that_nobody_foresaw(write, header: str) -> None:
    rows = "肺炎,临床表现,咳嗽\n肺炎,临床表现,发热\n"
    assert triples(write(f"{header}\n{rows}")) == PNEUMONIA


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("0,肺炎,临床表现,咳嗽\n1,肺炎,临床表现,发热\n", (None, None)),
        (",head,relation,tail\n0,肺炎,临床表现,咳嗽\n1,肺炎,临床表现,发热\n", (None, None)),
        ("head,tail,relation\n肺炎,咳嗽,临床表现\n肺炎,发热,临床表现\n", (None, None)),
        ("肺炎,咳嗽,临床表现\n肺炎,发热,临床表现\n", (None, None)),
        ("疾病,关系,症状\n肺炎,临床表现,咳嗽\n肺炎,临床表现,发热\n", ("疾病", "症状")),
        ("肺炎,疾病,临床表现,咳嗽,症状\n肺炎,疾病,临床表现,发热,症状\n", ("疾病", "症状")),
        ("肺炎,临床表现,咳嗽,,\n肺炎,临床表现,发热,,\n", (None, None)),
        ("肺炎，临床表现，咳嗽\n肺炎，临床表现，发热\n", (None, None)),
        ("肺炎 临床表现 咳嗽\n肺炎 临床表现 发热\n", (None, None)),
    ],
)
def test_columns_are_known_by_what_stands_in_them(write, text: str, types: tuple[str | None, str | None]) -> None:
    path = write(text)
    assert triples(path) == PNEUMONIA
    assert [(t.subject_type, t.object_type) for t in read_triples(path) if isinstance(t, Triple)] == [types] * 2


def test_a_first_row_that_could_be_a_header_is_a_statement_where_its_words_come_again(write) -> None:
    assert triples(write("甲,喜欢,乙\n甲,讨厌,丙\n")) == [("甲", "喜欢", "乙"), ("甲", "讨厌", "丙")]


def test_a_cell_over_two_lines_is_one_cell_and_an_open_quotation_mark_costs_one_line(write) -> None:
    path = write('"重症\n肺炎",临床表现,咳嗽\n肺炎,临床表现,"咳嗽\n肺炎,临床表现,发热\n')
    assert triples(path) == [("重症 肺炎", "临床表现", "咳嗽"), ("肺炎", "临床表现", "发热")]
    assert rejects(path) == [("bad_quotes", 3)]


MORE_DOCUMENTS = {
    "a list of web documents": [{"疾病": [{"名称": "肺炎", "临床表现": ["咳嗽", "发热"]}]}],
    "types above subjects": {"疾病": {"肺炎": {"临床表现": ["咳嗽", "发热"]}}},
    "named ends": [{"head": "肺炎", "relation": "临床表现", "tail": name} for name in ("咳嗽", "发热")],
    "ends that are objects": [
        {"subject": {"name": "肺炎", "type": "疾病"}, "predicate": "临床表现", "object": {"name": name}}
        for name in ("咳嗽", "发热")
    ],
    "bare triples": [["肺炎", "临床表现", "咳嗽"], ["肺炎", "临床表现", "发热"]],
    "triples under a key": {"triples": [["肺炎", "临床表现", "咳嗽"], ["肺炎", "临床表现", "发热"]]},
    "pairs under a subject": {"肺炎": [["临床表现", "咳嗽"], ["临床表现", "发热"]]},
    "one record": {"name": "肺炎", "临床表现": ["咳嗽", "发热"]},
    "data around spo_list": {"data": [{"text": "略", "spo_list": PNEUMONIA}]},
}


@pytest.mark.parametrize("name", sorted(MORE_DOCUMENTS))
@pytest.mark.parametrize("indent", [None, 1])
def test_more_shapes_of_json(write, name: str, indent: int | None) -> None:
    path = write(json.dumps(MORE_DOCUMENTS[name], ensure_ascii=False, indent=indent), "g.json")
    assert triples(path) == PNEUMONIA
    assert rejects(path) == []


def test_lines_of_triples_and_of_web_documents(write) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in PNEUMONIA]
    assert triples(write("\n".join(lines), "g.jsonl")) == PNEUMONIA
    record = json.dumps({"疾病": [{"名称": "肺炎", "临床表现": ["咳嗽"]}]}, ensure_ascii=False)
    assert triples(write(f"{record}\n{record}\n", "g.jsonl")) == PNEUMONIA[:1] * 2


def test_a_line_of_a_million_characters_costs_itself(write) -> None:
    path = write("肺炎,临床表现,咳嗽\n肺炎,临床表现," + "咳" * 1_000_000 + "\n肺炎,临床表现,发热\n")
    assert triples(path) == PNEUMONIA
    assert rejects(path) == [("long_name", 2)]


@pytest.mark.parametrize(
    "content",
    [
        '{"发烧": "发热", "高烧": "发热"}',
        '[["发烧", "发热"], ["高烧", "发热"]]',
        '[{"alias": "发烧", "canonical": "发热"}, {"alias": "高烧", "canonical": "发热"}]',
        '[{"name": "发热", "aliases": ["发烧", "高烧"]}]',
        '{"alias": "发烧", "canonical": "发热"}\n{"alias": "高烧", "canonical": "发热"}',
        "发烧,发热\n高烧,发热\n",
        "canonical,alias\n发热,发烧\n发热,高烧\n",
        "标准名\t别名\n发热\t发烧\n发热\t高烧\n",
    ],
)
def test_alias_files_of_every_form(write, content: str) -> None:
    found = [(one.alias, one.canonical) for one in read_aliases(write(content, "a")) if isinstance(one, Alias)]
    assert found == [("发烧", "发热"), ("高烧", "发热")]
