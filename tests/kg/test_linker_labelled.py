"""The linker against the labelled sentences: the held-out half is for measuring, no rule was made to fit it."""

import re
from pathlib import Path

import pytest

from foundation.errors import ZhongjingError
from kg.building.build import build_graph
from kg.graph import KnowledgeGraph
from kg.linking.labelled import Labelled, Scores, read_labelled, score
from kg.linking.linker import EntityLinker

FOLDER = Path(__file__).parent / "labelled"
HALVES = ("develop", "held_out")


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> EntityLinker:
    folder = tmp_path_factory.mktemp("labelled") / "kg"
    build_graph([FOLDER / "graph.csv"], folder, aliases=FOLDER / "aliases.json")
    return EntityLinker(KnowledgeGraph.open(folder), fuzzy=True)


@pytest.fixture(scope="module", params=HALVES)
def scores(linker: EntityLinker, request: pytest.FixtureRequest) -> Scores:
    return score(linker, read_labelled(FOLDER / f"{request.param}.txt"))


def test_spans(scores: Scores) -> None:
    assert scores.exact.right > 300
    assert scores.exact.f1 >= 0.97


def test_misspelt_spans(scores: Scores) -> None:
    assert scores.fuzzy.right + scores.fuzzy.missed > 40
    assert scores.fuzzy.f1 >= 0.85


@pytest.mark.parametrize(
    ("flag", "accuracy", "f1"),
    [
        ("negated", 0.95, 0.9),
        ("uncertain", 0.95, 0.85),
        ("family", 0.97, 0.9),
        ("other", 0.97, 0.8),
        ("past", 0.95, 0.8),
    ],
)
def test_status(scores: Scores, flag: str, accuracy: float, f1: float) -> None:
    assert scores.accuracy(flag) >= accuracy
    assert scores.flags[flag].f1 >= f1


def test_the_halves_are_large_and_apart() -> None:
    texts = [{sentence.text for sentence in read_labelled(FOLDER / f"{half}.txt")} for half in HALVES]
    assert len(texts[0]) + len(texts[1]) >= 500
    assert len(texts[1]) >= 200
    assert not texts[0] & texts[1]


def test_every_label_names_an_entity_of_the_graph(linker: EntityLinker, tmp_path: Path) -> None:
    entities = set(re.findall("[^,\n]+", (FOLDER / "graph.csv").read_text(encoding="utf-8")))
    sentences = [one for half in HALVES for one in read_labelled(FOLDER / f"{half}.txt")]
    assert {label.entity for one in sentences for label in one.labels} <= entities


def test_labels_are_read_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("# a comment\n没有[发烧=发热|n]，[高血呀~高血压|up]\n", encoding="utf-8")
    (one,) = read_labelled(path)
    assert one.text == "没有发烧，高血呀"
    assert [(one.text[label.start : label.end], label.entity, label.misspelt) for label in one.labels] == [
        ("发烧", "发热", False),
        ("高血呀", "高血压", True),
    ]
    assert [label.flags for label in one.labels] == [{"negated"}, {"uncertain", "past"}]
    path.write_text("没有[发烧|x]\n", encoding="utf-8")
    with pytest.raises(ZhongjingError, match=r"labels\.txt:1"):
        read_labelled(path)


def test_what_is_found_for_nothing_and_what_is_missed_counts(linker: EntityLinker) -> None:
    counted = score(linker, [Labelled("没有发烧", [])])
    assert (counted.exact.right, counted.exact.wrong, counted.exact.missed, counted.compared) == (0, 1, 0, 0)
    assert counted.exact.f1 == 0
