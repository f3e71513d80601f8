"""Dialogue sets on disk: whole or not there, the same every time, and never over other things."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.records import Dialogue, KgReport, Message, Meta
from corpus.sets import BATCH, DIALOGUES, Plan, SetWriter, count_dialogues, plan_step, read_dialogues, run_step
from foundation.errors import ZhongjingError

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
records = st.builds(
    Dialogue,
    id=words,
    messages=st.lists(st.builds(Message, st.sampled_from(["user", "assistant", "system"]), words), max_size=3),
    source=words,
    department=st.none() | words,
    scenario=st.none() | words,
    meta=st.builds(
        Meta,
        file=words,
        line=st.integers(1, 2**40),
        format=words,
        raw_id=st.none() | words,
        labels=st.lists(words, max_size=2),
    ),
    kg=st.none()
    | st.builds(
        KgReport,
        entities=st.lists(words, max_size=2),
        coverage=st.floats(0, 1),
        supported=st.integers(0, 9),
        contradictions=st.lists(st.lists(words, max_size=3), max_size=2),
    ),
)


@given(st.lists(records, max_size=4))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, many: list[Dialogue]) -> None:
    folder = tmp_path_factory.mktemp("sets") / "set"
    write(folder, many)
    assert list(read_dialogues(folder)) == many


def write(folder: Path, many: list[Dialogue]) -> None:
    def work(writer: SetWriter) -> None:
        for dialogue in many:
            writer.keep(dialogue)

    run_step(Plan(stage="import", inputs=[], parameters={}), folder, work)


def test_batches_keep_the_order_and_the_bytes(tmp_path: Path) -> None:
    lots = random.Random(1)
    many = [
        Dialogue(
            id=f"d-{number}",
            messages=[Message("user", str(lots.random()))],
            source="s",
            meta=Meta(file="f", line=number, format="jsonl"),
        )
        for number in range(1, 2 * BATCH + 10)
    ]
    write(tmp_path / "one", many)
    write(tmp_path / "two", many)
    assert list(read_dialogues(tmp_path / "one")) == many
    assert count_dialogues(tmp_path / "one") == len(many)
    assert (tmp_path / "one" / DIALOGUES).read_bytes() == (tmp_path / "two" / DIALOGUES).read_bytes()


def test_a_step_that_fails_leaves_nothing_and_the_old_set_stands(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(["疼", "多久了"])
    write(tmp_path / "out", list(read_dialogues(source)))
    before = (tmp_path / "out" / DIALOGUES).read_bytes()

    def work(writer: SetWriter) -> None:
        writer.keep(next(read_dialogues(source)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(plan_step("x", source, {}), tmp_path / "out", work)
    assert (tmp_path / "out" / DIALOGUES).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_the_output_is_never_the_input(set_of: Callable[..., Path]) -> None:
    source = set_of(["疼", "多久了"])
    with pytest.raises(ZhongjingError, match="own input"):
        run_step(plan_step("x", source, {}), source, lambda writer: None)


def test_damaged_sets_are_named(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(["疼", "多久了"])
    (source / DIALOGUES).write_bytes(b"PAR1 nothing")
    with pytest.raises(ZhongjingError, match="damaged"):
        list(read_dialogues(source))
    with pytest.raises(ZhongjingError, match=r"manifest\.json"):
        list(read_dialogues(tmp_path))


def test_a_result_is_one_line(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(["疼", "多久了"], ["痒", "多久了"])

    def work(writer: SetWriter) -> None:
        first, second = read_dialogues(source)
        writer.keep(first)
        writer.drop(second, "bad_luck")
        writer.details["dice_thrown"] += 1

    result = run_step(plan_step("chance", source, {}), tmp_path / "out", work)
    assert result.line() == "chance: 2 in, 1 out; left out bad_luck 1; dice thrown 1"
    assert msgspec.structs.replace(result, reused=True).line().endswith("[reused]")
    assert result.samples == {"bad_luck": ["d-0000000000000002"]}
