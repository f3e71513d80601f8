"""How much of the personal data in the marked set is found, and how much medicine is hit."""

from collections import Counter
from pathlib import Path

import pytest

import foundation.cli
import zhongjing
from corpus.privacy.deidentify import spans_in
from corpus.privacy.labelled import HALVES, MEDICAL, Score, measure, parse, shipped
from corpus.privacy.personal import Span
from corpus.privacy.tagger import open_tagger
from foundation.errors import ZhongjingError

NAMES = {"医生", "患者", "医院", "地址"}
LEAST_FOR_NAMES, LEAST_FOR_NUMBERS, MOST_MEDICAL, LEAST_PRECISION = 0.90, 0.98, 0.01, 0.97


@pytest.fixture(scope="module", params=HALVES)
def scores(request: pytest.FixtureRequest) -> list[Score]:
    return measure(parse(shipped(request.param)), spans_in)


def test_the_set_is_large_enough() -> None:
    kinds = Counter(
        span.kind for half in HALVES for dialogue in parse(shipped(half)) for turn in dialogue for span in turn.spans
    )
    medical = kinds.pop(MEDICAL)
    assert (sum(kinds.values()) >= 300, len(kinds) >= 10, medical >= 200) == (True, True, True)
    assert min(kinds.values()) >= 10


def test_recall_of_every_kind(scores: list[Score]) -> None:
    found = {score.kind: score.recall for score in scores if score.kind != MEDICAL}
    assert {kind: recall for kind, recall in found.items() if recall < LEAST_FOR_NAMES} == {}
    assert {kind: recall for kind, recall in found.items() if recall < LEAST_FOR_NUMBERS and kind not in NAMES} == {}


def test_precision_and_medical_terms(scores: list[Score]) -> None:
    assert [score.kind for score in scores if score.kind != MEDICAL and score.precision < LEAST_PRECISION] == []
    (medical,) = (score for score in scores if score.kind == MEDICAL)
    assert medical.recall < MOST_MEDICAL


def test_scores_are_counted_right() -> None:
    dialogue = parse("我{患者|张三}，{电话|110}，{医学|头疼}好")[0]
    assert dialogue[0].text == "我张三，110，头疼好"

    def finder(texts: list[str]) -> list[list[Span]]:
        return [[Span(1, 3, "患者"), Span(5, 6, "电话"), Span(9, 11, "患者")] for _ in texts]

    by_kind = {score.kind: score for score in measure([dialogue], finder)}
    assert (by_kind["患者"].recall, by_kind["患者"].precision) == (1.0, 0.5)
    assert (by_kind["电话"].recall, by_kind["电话"].precision) == (0.0, 1.0)
    assert by_kind[MEDICAL].covered == 1


def test_the_command_takes_texts_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("电话{电话|19900001234}\n\n我叫{患者|Q}\n", encoding="utf-8")
    assert foundation.cli.run(zhongjing.app, ["corpus", "deidentify-score", str(tmp_path / "mine.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("mine.txt")
    assert [line.split()[0].strip("　") for line in lines[2:]] == ["患者", "电话"]


def test_the_tagger_finds_names_that_nothing_introduces_and_no_drug() -> None:
    text = "片子李秀英拿走了，王小波一直吃华法林和马来酸依那普利，徐长卿也喝了"
    tagger = open_tagger("lac")
    assert {text[span.start : span.end] for span in tagger(text)} == {"李秀英", "王小波"}
    with pytest.raises(ZhongjingError, match="no tagger"):
        open_tagger("other")


def test_the_tagger_loses_nothing_on_the_marked_set() -> None:
    tagger = open_tagger("lac")
    dialogues = parse(shipped("develop"))
    plain = {score.kind: score.recall for score in measure(dialogues, spans_in)}
    tagged = measure(dialogues, lambda texts: spans_in(texts, tagger=tagger))
    assert all(score.recall >= plain.get(score.kind, 0) for score in tagged if score.kind in NAMES)
    assert next(score.recall for score in tagged if score.kind == MEDICAL) < MOST_MEDICAL
