"""Dialogues against a small real graph."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import corpus.steps
from corpus.build import build, run_chain
from corpus.contradictions import queue
from corpus.matching import REVIEW, Matcher, Review, match, matched_with, other_graph, version_of
from corpus.privacy.deidentify import deidentify
from corpus.records import Dialogue, Prompt
from corpus.sampling import sample_prompts
from corpus.sets import DIALOGUES, read_dialogues
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from kg.building.build import build_graph

TRIPLES = """head,relation,tail
布洛芬,禁忌,孕妇
布洛芬,适应症,发热
布洛芬,不良反应,恶心
阿莫西林,适应症,急性扁桃体炎
急性扁桃体炎,临床表现,发热
急性扁桃体炎,就诊科室,耳鼻喉科
奥美拉唑,适应症,胃溃疡
"""
CONSULTATION = [
    "孕妇发烧39度怎么办，能吃布洛芬吗？",
    "孕妇可以吃布洛芬。",
    "喉咙也疼",
    "急性扁桃体炎可以吃阿莫西林。",
    "好的，谢谢医生",
    "不客气",
]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "triples.csv").write_text(TRIPLES, encoding="utf-8")
    (tmp_path / "aliases.json").write_text('{"发烧": "发热"}', encoding="utf-8")
    build_graph([tmp_path / "triples.csv"], tmp_path / "kg", aliases=tmp_path / "aliases.json")
    return tmp_path / "kg"


def test_reports_and_the_review_queue(set_of: Callable[..., Path], graph: Path, tmp_path: Path) -> None:
    result = match(set_of(CONSULTATION, ["脚疼", "多久了"]), graph, tmp_path / "out")
    first, second = read_dialogues(tmp_path / "out")
    assert first.kg is not None
    assert second.kg is not None
    assert first.kg.entities[:3] == ["孕妇", "发热", "布洛芬"]
    assert first.kg.coverage == 0.75
    assert (first.kg.supported, first.kg.contradicted) == (1, 1)
    assert (second.kg.entities, second.kg.coverage) == ([], 0.0)
    review = [json.loads(line) for line in (tmp_path / "out" / REVIEW).read_text().splitlines()]
    assert [(row["dialogue_id"], row["turn"]) for row in review] == [(first.id, 1)]
    assert review[0]["claim"] == first.kg.contradictions[0]
    assert review[0]["evidence"][0].startswith("布洛芬 禁忌 孕妇 (")
    assert result.details["contradicted"] == result.details["dialogues_to_review"] == 1
    assert (result.read, result.kept) == (2, 2)


def test_processes_change_nothing(
    set_of: Callable[..., Path], graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus.steps, "SHARD", 1)
    source = set_of(*[CONSULTATION, ["脚疼", "多久了"]] * 1_500)
    for name, processes in (("one", 1), ("two", 2)):
        match(source, graph, tmp_path / name, processes=processes)
    for file in (DIALOGUES, REVIEW):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_folder_that_is_no_graph_is_refused(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(CONSULTATION)
    with pytest.raises(ZhongjingError, match="knowledge-graph"):
        match(source, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_facts_about_what_is_spoken_of(set_of: Callable[..., Path], graph: Path, tmp_path: Path) -> None:
    sample_prompts(set_of(CONSULTATION[:2]), tmp_path / "p.jsonl", count=1, seed=1, graph=graph)
    prompt = next(read_records(tmp_path / "p.jsonl", Prompt))
    assert prompt.facts == ["布洛芬 禁忌 孕妇", "布洛芬 适应症 发热", "布洛芬 不良反应 恶心"]


def test_names_of_the_graph_are_no_people(set_of: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("head,relation,tail\n安乃近,适应症,发热\n", encoding="utf-8")
    build_graph([tmp_path / "t.csv"], tmp_path / "kg")
    source = set_of(["药的名字叫安乃近，我叫李建国", "好"])
    deidentify(source, tmp_path / "out", graph=tmp_path / "kg")
    assert next(read_dialogues(tmp_path / "out")).messages[0].content == "药的名字叫安乃近，我叫[患者1]"


def test_the_chain_with_a_graph(jsonl: Callable[..., Path], graph: Path, tmp_path: Path) -> None:
    raw = jsonl({"question": CONSULTATION[0], "answer": CONSULTATION[1]})
    results = run_chain([raw], graph, tmp_path / "run", "care")
    assert [result.stage for result in results][-3:] == ["match", "classify", "freeze"]
    version = tmp_path / "run" / "versions" / "care-v1"
    assert next(read_dialogues(version)).kg is not None
    assert all(result.reused for result in run_chain([raw], graph, tmp_path / "run", "care"))


def test_a_recipe_builds_its_graph_once(jsonl: Callable[..., Path], graph: Path, tmp_path: Path) -> None:
    jsonl({"question": CONSULTATION[0], "answer": CONSULTATION[1]})
    path = tmp_path / "recipe.yaml"
    path.write_text("name: care\ninputs: [raw.jsonl]\nout: run\ngraph: [triples.csv]\naliases: aliases.json\n")
    build(path)
    before = (tmp_path / "run" / "kg" / "manifest.json").stat().st_mtime_ns
    assert all(result.reused for result in build(path).results)
    assert (tmp_path / "run" / "kg" / "manifest.json").stat().st_mtime_ns == before


def test_a_match_of_another_graph_is_said_and_replaced_on_request(
    set_of: Callable[..., Path], graph: Path, tmp_path: Path
) -> None:
    source, out, newer = set_of(CONSULTATION), tmp_path / "out", tmp_path / "newer"
    match(source, graph, out)
    assert match(source, graph, out, reuse=True).reused
    (tmp_path / "more.csv").write_text("head,relation,tail\n头孢拉定,适应症,急性扁桃体炎\n", encoding="utf-8")
    build_graph([tmp_path / "triples.csv", tmp_path / "more.csv"], newer, aliases=tmp_path / "aliases.json")
    before = (out / DIALOGUES).read_bytes()
    with pytest.raises(ZhongjingError, match="another version of the graph") as refused:
        match(source, newer, out, reuse=True)
    assert "--rebuild" in str(refused.value)
    assert (out / DIALOGUES).read_bytes() == before
    assert other_graph(out, graph) is None
    said = other_graph(out, newer)
    assert said is not None
    assert matched_with(out) in said
    result = match(source, newer, out, reuse=True, rebuild=True)
    assert "graph_changed" in result.details
    assert matched_with(out) == version_of(newer)
    assert match(source, newer, tmp_path / "fresh").kept == 1
    assert (tmp_path / "fresh" / "manifest.json").read_bytes().replace(b'"fresh"', b'"out"') == (
        out / "manifest.json"
    ).read_bytes()


def test_the_queue_shows_the_words_and_the_evidence(set_of: Callable[..., Path], graph: Path, tmp_path: Path) -> None:
    match(set_of(CONSULTATION), graph, tmp_path / "out")
    head, words, against, count = queue(tmp_path / "out", 5)
    assert head.endswith("(made-up.jsonl:1)  布洛芬 适用人群 孕妇")
    assert words.strip() == "⟦孕妇可以吃布洛芬⟧。"
    assert "布洛芬 禁忌 孕妇" in against
    assert count.startswith("1 of 1 shown")
    assert next(queue(tmp_path / "out", 5, "适应症")).startswith("0 of 0")


def test_batches_change_nothing(set_of: Callable[..., Path], graph: Path) -> None:
    dialogues = list(read_dialogues(set_of(CONSULTATION, ["脚疼", "多久了"], CONSULTATION[2:])))
    matcher = Matcher(graph)
    together = list(matcher.match_all(dialogues))
    assert together == [one for dialogue in dialogues for one in matcher.match_all([dialogue])]


def test_an_interrupted_match_goes_on_to_the_same_bytes(
    set_of: Callable[..., Path], graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus.steps, "SHARD", 1)
    monkeypatch.setattr("corpus.sets.BATCH", 2)
    source = set_of(*[CONSULTATION, ["脚疼", "多久了"]] * 3)
    match(source, graph, tmp_path / "whole", processes=1)
    batches = 0

    class Interrupted(Matcher):
        def match_all(self, dialogues: Sequence[Dialogue]) -> Iterator[tuple[Dialogue, list[Review]]]:
            nonlocal batches
            batches += 1
            if batches == 2:
                raise KeyboardInterrupt
            return super().match_all(dialogues)

    monkeypatch.setattr("corpus.matching.Matcher", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        match(source, graph, tmp_path / "out", processes=1)
    assert not (tmp_path / "out").exists()
    match(source, graph, tmp_path / "out", processes=1)
    assert batches == 2 + 2  # the first shard is not matched again
    for file in (DIALOGUES, REVIEW):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "out" / file).read_bytes()
