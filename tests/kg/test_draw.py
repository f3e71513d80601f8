"""The picture: complete where there is room, honest where there is not, legible in a browser without a network."""

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from foundation.errors import ZhongjingError
from kg.building.build import build_graph
from kg.draw import MAX_DRAWN, draw
from kg.graph import KnowledgeGraph


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    folder = tmp_path_factory.mktemp("hub")
    rows = [f"中心病,临床表现,症状{number:04}" for number in range(500)]
    rows += [f"药{number:03},适应症,中心病" for number in range(7)]
    (folder / "hub.csv").write_text("\n".join(rows), encoding="utf-8")
    build_graph([folder / "hub.csv"], folder / "kg")
    return KnowledgeGraph.open(folder / "kg")


def test_all_that_lies_around_is_drawn_and_the_same_bytes_come_again(graph: KnowledgeGraph, tmp_path: Path) -> None:
    drawn = draw(graph, "肺炎", tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    around = {neighbour.name for neighbour in graph.neighbours("肺炎")}
    assert set(re.findall(r"<title>(.+?) ·", page)) == around
    assert drawn.shown == drawn.within == len(around) + 1
    draw(graph, "肺炎", tmp_path / "two.html")
    assert (tmp_path / "two.html").read_bytes() == (tmp_path / "one.html").read_bytes()


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_hub_is_cut_to_what_can_be_read_and_the_page_says_so(hub: KnowledgeGraph, tmp_path: Path, hops: int) -> None:
    drawn = draw(hub, "中心病", tmp_path / "hub.html", hops=hops)
    page = (tmp_path / "hub.html").read_text(encoding="utf-8")
    assert drawn.shown <= MAX_DRAWN + 1 < drawn.within == 508
    assert f"{drawn.shown} of 508 entities within {hops} hop" in page
    assert "适应症 7" in page
    assert "临床表现 500" in page
    assert page.count("<li><span>") == 507


def test_names_cannot_break_the_page(write, tmp_path: Path) -> None:
    name = '<script>alert("x")</script>&'
    path = write("".join(f'"{name.replace(chr(34), chr(34) * 2)}",临床表现,咳嗽\n' for _ in range(1)))
    build_graph([path], tmp_path / "kg")
    draw(KnowledgeGraph.open(tmp_path / "kg"), "咳嗽", tmp_path / "x.html")
    assert "<script>alert" not in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_an_unknown_name_leaves_no_file(graph: KnowledgeGraph, tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="no entity") as caught:
        draw(graph, "肺焱", tmp_path / "x.html")
    assert "肺炎" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_a_browser_shows_it_without_a_network(
    hub: KnowledgeGraph, graph: KnowledgeGraph, tmp_path: Path, chromium: Browser, width: int
) -> None:
    draw(hub, "中心病", tmp_path / "hub.html")
    draw(graph, "肺炎", tmp_path / "small.html", hops=2)
    page = chromium.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    for name in ("hub", "small"):
        page.goto((tmp_path / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg g text").first.bounding_box()
        size = page.evaluate(
            "parseFloat(getComputedStyle(document.querySelector('svg g text')).fontSize)"
            " * document.querySelector('svg').getBoundingClientRect().width"
            " / document.querySelector('svg').viewBox.baseVal.width"
        )
        assert size >= 9
    day, night = (_colours(page, scheme) for scheme in ("light", "dark"))
    assert min(day[0]) > 200 > 100 > max(day[1])
    assert min(night[1]) > 200 > 100 > max(night[0])
    page.close()
    assert [url for url in asked if not url.startswith("file:")] == []
    assert faults == []


def _colours(page: Page, scheme: Literal["light", "dark"]) -> list[list[int]]:
    """Red, green and blue of the picture's ground and of its words."""
    page.emulate_media(color_scheme=scheme)
    parts = ((".frame", "backgroundColor"), ("svg g text", "fill"))
    found = [page.eval_on_selector(part, f"part => getComputedStyle(part).{name}") for part, name in parts]
    return [[int(number) for number in re.findall(r"\d+", colour)[:3]] for colour in found]
