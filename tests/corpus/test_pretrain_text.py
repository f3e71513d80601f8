"""Texts to pre-train on: triples in words with where they were stated, documents in pieces without copies."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.mixing.documents import Paragraph
from corpus.mixing.pieces import pieces
from corpus.mixing.pretrain_text import TextOptions, write_texts
from corpus.mixing.triple_text import entity_sentences
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects
from kg.building.build import build_graph
from kg.graph import KnowledgeGraph
from kg.relations import VOCABULARY

TRIPLES = """head,relation,tail
布洛芬,适应症,发热
布洛芬,禁忌,孕妇
布洛芬,不良反应,恶心
布洛芬,药物相互作用,阿司匹林
肺炎,临床表现,发热
肺炎,临床表现,咳嗽
肺炎,治疗周期,一般需要2到3周，重者更长
肺炎,多发群体,老人
"""
BOOK = """# 第一章 肺炎

肺炎是肺实质的**炎症**，见[教科书](http://x.cn)。常见表现有咳嗽、咳痰和发热。

| 病原 | 用药 |
|---|---|
| 支原体 | 阿奇霉素 |

- 多休息，多饮水，注意保暖，室内经常通风换气
"""
NOTES = {
    "id": 7,
    "chief_complaint": "咳嗽三天",
    "现病史": "患者三天前受凉后出现咳嗽，无发热",
    "诊断": ["支气管炎", "鼻炎"],
    "生命体征": {"体温": 36.8},
}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "triples.csv").write_text(TRIPLES, encoding="utf-8")
    (tmp_path / "aliases.json").write_text('{"发烧": "发热", "芬必得": "布洛芬"}', encoding="utf-8")
    build_graph([tmp_path / "triples.csv"], tmp_path / "kg", aliases=tmp_path / "aliases.json")
    return tmp_path / "kg"


def texts(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_fact_is_said_of_both_its_ends_with_its_place(graph: Path, tmp_path: Path) -> None:
    write_texts(graph, [], tmp_path / "out")
    found = {row["about"]: row for row in texts(tmp_path / "out")}
    lines = TRIPLES.splitlines()
    for number, line in enumerate(lines[1:], start=2):
        subject, _, other = line.split(",", 2)
        for one, two in ((subject, other), (other, subject)):
            if one in found and two in found:
                assert two in found[one]["text"]
                assert any(place.endswith(f"triples.csv:{number}") for place in found[one]["places"])
    assert found["布洛芬"]["text"].startswith("布洛芬又称芬必得。")
    assert "一般需要2到3周，重者更长。" in found["肺炎"]["text"]
    assert found["布洛芬"]["text"].count("阿司匹林") == 1


def test_one_way_says_a_fact_once(graph: Path, tmp_path: Path) -> None:
    write_texts(graph, [], tmp_path / "out", options=TextOptions(both_ways=False))
    assert {row["about"] for row in texts(tmp_path / "out")} <= {"布洛芬", "阿司匹林", "肺炎"}
    together = "".join(row["text"] for row in texts(tmp_path / "out"))
    assert together.count("恶心") == 1


def test_every_relation_of_the_vocabulary_has_words_of_its_own(tmp_path: Path) -> None:
    rows = "".join(f"甲{number},{relation.name},乙{number}\n" for number, relation in enumerate(VOCABULARY))
    (tmp_path / "all.csv").write_text("head,relation,tail\n" + rows, encoding="utf-8")
    build_graph([tmp_path / "all.csv"], tmp_path / "all")
    opened = KnowledgeGraph.open(tmp_path / "all")
    for number, relation in enumerate(VOCABULARY):
        said = "".join(one.text for one in entity_sentences(opened, f"甲{number}"))
        assert f"甲{number}" in said and f"乙{number}" in said, relation.name
        assert said.endswith("。")


def test_a_relation_of_its_own_is_said_as_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("head,relation,tail\n阿胶,产地,东阿\n", encoding="utf-8")
    build_graph([tmp_path / "odd.csv"], tmp_path / "odd")
    write_texts(tmp_path / "odd", [], tmp_path / "out")
    assert next(row["text"] for row in texts(tmp_path / "out")) == "阿胶的产地：东阿。"


def test_documents_of_every_form(graph: Path, tmp_path: Path, set_of: Callable[..., Path]) -> None:
    (tmp_path / "book.md").write_text(BOOK, encoding="utf-8")
    (tmp_path / "plain.txt").write_bytes(
        "高血压患者应当低盐饮食，规律服药，定期测量血压，遵医嘱复查。\n".encode("gb18030")
    )
    (tmp_path / "notes.json").write_text(json.dumps([NOTES], ensure_ascii=False, indent=1), encoding="utf-8")
    rows = [{"title": "糖尿病", "text": "糖尿病是一组以高血糖为特征的代谢性疾病，需要长期管理。"}, {"n": None}]
    with gzip.open(tmp_path / "wiki.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join([*(json.dumps(row, ensure_ascii=False) for row in rows), '{"text": "half']))
    visits = set_of(["我头疼三天了怎么办", "先休息，不要熬夜，三天不好再来看"], name="visits")
    files = [tmp_path / name for name in ("book.md", "plain.txt", "notes.json", "wiki.jsonl.gz")]
    written = write_texts(None, [*files, visits], tmp_path / "out")
    by_source = {row["about"]: row for row in texts(tmp_path / "out")}
    book = by_source["book.md"]["text"]
    assert book.startswith("第一章 肺炎\n肺炎是肺实质的炎症，见教科书。")
    assert "支原体，阿奇霉素" in book
    assert not set("#*|[]") & set(book)
    assert by_source["plain.txt"]["text"].startswith("高血压患者")
    notes = by_source["notes.json"]
    assert notes["text"].splitlines()[0] == "主诉：咳嗽三天"
    assert "诊断：支气管炎、鼻炎" in notes["text"]
    assert "体温：36.8" in notes["text"]
    assert "7" not in notes["text"]
    assert by_source["wiki.jsonl.gz"]["text"].startswith("糖尿病\n糖尿病是一组")
    assert by_source["visits"]["text"].startswith("患：我头疼三天了")
    assert Counter(written.rejected) == {"no_text": 1, "invalid_json": 1}
    lines = {reject.reason: (reject.file, reject.line) for reject in read_rejects(tmp_path / "out" / "rejects.jsonl")}
    assert lines == {"no_text": ("wiki.jsonl.gz", 2), "invalid_json": ("wiki.jsonl.gz", 3)}


def test_personal_data_are_replaced_unless_told(graph: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("患者李建国，电话19900001234，因反复咳嗽三天入院，胸片未见异常。", encoding="utf-8")
    written = write_texts(graph, [path], tmp_path / "out")
    (row,) = [row for row in texts(tmp_path / "out") if row["kind"] == "document"]
    assert "19900001234" not in row["text"]
    assert "李建国" not in row["text"]
    assert written.replaced["电话"] == 1
    write_texts(graph, [path], tmp_path / "open", options=TextOptions(identified=True))
    assert "19900001234" in (tmp_path / "open" / "texts.jsonl").read_text(encoding="utf-8")


def test_copies_are_left_out_with_a_reason(tmp_path: Path) -> None:
    one = "慢性阻塞性肺疾病是一种常见的、可以预防和治疗的疾病，以持续呼吸症状和气流受限为特征。患者应当戒烟。"
    (tmp_path / "a.txt").write_text(one, encoding="utf-8")
    (tmp_path / "b.txt").write_text(one, encoding="utf-8")
    (tmp_path / "c.txt").write_text(one.replace("常见的、", "很常见的"), encoding="utf-8")
    (tmp_path / "d.txt").write_text(
        "皮疹伴有发热的患者应当及时就诊，由皮肤科医生判断是否为感染所致。", encoding="utf-8"
    )
    written = write_texts(None, [tmp_path / f"{name}.txt" for name in "abcd"], tmp_path / "out")
    assert written.texts == {"document": 2}
    assert sum(written.rejected.values()) == 2


def test_the_same_input_gives_the_same_bytes(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text(BOOK, encoding="utf-8")
    for name in ("one", "two"):
        write_texts(graph, [tmp_path / "book.md"], tmp_path / name / "out")
    for file in ("texts.jsonl", "rejects.jsonl", "README.md", "manifest.json"):
        assert (tmp_path / "one" / "out" / file).read_bytes() == (tmp_path / "two" / "out" / file).read_bytes()
    manifest = read_manifest(tmp_path / "one" / "out", "pretrain-text")
    assert [entry.name for entry in manifest.inputs] == ["graph", "book.md"]


def test_long_documents_are_cut_and_short_pieces_named(tmp_path: Path) -> None:
    sentence = "这是一句关于肺炎诊断和治疗的话，第{}句。"
    (tmp_path / "long.txt").write_text("".join(map(sentence.format, range(200))) + "\n\n短\n", encoding="utf-8")
    write_texts(None, [tmp_path / "long.txt"], tmp_path / "out", options=TextOptions(longest=120, threshold=1.0))
    found = texts(tmp_path / "out")
    assert max(len(row["text"]) for row in found) <= 120
    assert "".join(row["text"] for row in found).count("句。") >= 199
    (tmp_path / "short.txt").write_text("太短", encoding="utf-8")
    with pytest.raises(ZhongjingError, match="no text could be made") as caught:
        write_texts(None, [tmp_path / "short.txt"], tmp_path / "none")
    assert "short.txt:1" in str(caught.value)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"\n\n"])
def test_files_without_text_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.txt").write_bytes(content)
    with pytest.raises(ZhongjingError):
        write_texts(None, [tmp_path / "empty.txt"], tmp_path / "out")


def test_nothing_given_and_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="nothing to make texts of"):
        write_texts(None, [], tmp_path / "out")
    with pytest.raises(ZhongjingError, match="no such file"):
        write_texts(None, [tmp_path / "nowhere.txt"], tmp_path / "out")


def test_a_conversation_in_json_is_not_taken_for_a_text(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "头疼怎么办，需要吃药吗"}]}
    (tmp_path / "talk.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    with pytest.raises(ZhongjingError, match="corpus import"):
        write_texts(None, [tmp_path / "talk.jsonl"], tmp_path / "out")


def test_datasets_loads_the_folder_by_its_card(graph: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    write_texts(graph, [], tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["text"][:] == [row["text"] for row in texts(tmp_path / "out")]


PARAGRAPHS = st.lists(st.text("肺炎。！ab \n", min_size=1, max_size=80).filter(str.strip), max_size=6)


@given(PARAGRAPHS, st.integers(5, 60))
def test_pieces_are_bounded_and_lose_no_letter(paragraphs: list[str], longest: int) -> None:
    cut = list(pieces([Paragraph(number, text) for number, text in enumerate(paragraphs, start=1)], longest))
    assert all(len(piece.text) <= longest for piece in cut)
    assert "".join("".join(piece.text for piece in cut).split()) == "".join("".join(paragraphs).split())
    assert [piece.line for piece in cut] == sorted(piece.line for piece in cut)
