import pytest
from playwright.sync_api import Browser

from demo.road import Travelled


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_report_draws_itself_alone_at_every_width(chromium: Browser, travelled: Travelled, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    errors: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((travelled.folder / "report.html").as_uri())
    page.wait_for_selector("svg.main-svg")
    assert not errors
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.locator("section").count() == 12
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_text("模拟").count() > 0
    page.close()


def test_the_report_names_no_patient(travelled: Travelled) -> None:
    html = (travelled.folder / "report.html").read_text()
    from corpus.sets import read_dialogues

    turns = [turn.content for dialogue in read_dialogues(travelled.version) for turn in dialogue.messages]
    assert not [turn for turn in turns if len(turn) > 8 and turn in html]
