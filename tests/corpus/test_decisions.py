"""Decisions of a review come into the next version, and only where they are about the words that are there."""

import pytest

from corpus.build import build
from corpus.decisions import Decision, decide, turn_id
from corpus.sets import read_dialogues
from corpus.versioning.versions import read_card
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records

TURNS = ["发烧三天，吃什么药？", "可以吃布洛芬。", "孕妇能吃吗？", "孕妇可以吃布洛芬。"]


def decision(dialogue, turn, verdict, text=None, was=None):
    name = was or turn_id(dialogue.messages[turn].content)
    return Decision(dialogue_id=dialogue.id, turn=turn, was=name, verdict=verdict, text=text, by="test")


def decided(set_of, tmp_path, decisions, *many):
    write_records(tmp_path / "decisions.jsonl", decisions)
    result = decide(set_of(*many), tmp_path / "decisions.jsonl", tmp_path / "out", processes=1)
    return result, {dialogue.id: dialogue for dialogue in read_dialogues(tmp_path / "out")}


def test_each_verdict_does_what_it_says(set_of, make_dialogue, tmp_path):
    stands, corrected, removed, untouched = (make_dialogue(TURNS, number=number) for number in range(1, 5))
    rows = [
        decision(stands, 3, "right"),
        decision(corrected, 3, "corrected", " 孕妇不要自行服用布洛芬，请咨询产科医生。\n"),
        decision(removed, 1, "remove"),
    ]
    result, found = decided(set_of, tmp_path, rows, stands, corrected, removed, untouched)
    assert (result.read, result.kept, result.rejected) == (4, 3, {"removed_in_review": 1})
    assert (result.details["turns_confirmed"], result.details["turns_corrected"]) == (1, 1)
    assert found[corrected.id].messages[3].content == "孕妇不要自行服用布洛芬，请咨询产科医生。"
    assert [message.content for message in found[corrected.id].messages[:3]] == TURNS[:3]
    assert (found[stands.id], found[untouched.id]) == (stands, untouched)


def test_other_words_and_quarrels_are_left_alone_and_counted(set_of, make_dialogue, tmp_path):
    changed, quarrel = make_dialogue(TURNS, number=1), make_dialogue(TURNS, number=2)
    rows = [
        decision(changed, 3, "corrected", "别的话", was=turn_id("早先的话")),
        decision(changed, 99, "remove", was="turn-0"),
        decision(quarrel, 3, "right"),
        decision(quarrel, 3, "corrected", "请咨询医生。"),
        decision(quarrel, 1, "right"),
        decision(quarrel, 1, "right"),
    ]
    result, found = decided(set_of, tmp_path, rows, changed, quarrel)
    assert list(found.values()) == [changed, quarrel]
    assert result.details == {"decisions_at_odds": 1, "decisions_outdated": 2, "turns_confirmed": 1}


def test_patients_words_and_absent_dialogues_are_left_alone_and_said(set_of, make_dialogue, tmp_path, capsys):
    here, absent = make_dialogue(TURNS, number=1), make_dialogue(TURNS, number=2)
    rows = [decision(here, 0, "corrected", "没有发烧。"), decision(absent, 1, "remove"), decision(absent, 3, "right")]
    result, found = decided(set_of, tmp_path, rows, here)
    assert list(found.values()) == [here]
    assert result.details == {"decisions_not_on_a_doctor": 1}
    assert "2 decisions are about dialogues" in capsys.readouterr().err


@pytest.mark.parametrize(("verdict", "text"), [("corrected", None), ("corrected", "  "), ("right", "words")])
def test_a_correction_and_nothing_else_has_words(set_of, make_dialogue, tmp_path, verdict, text):
    dialogue = make_dialogue(TURNS)
    with pytest.raises(ZhongjingError, match="has a text"):
        decided(set_of, tmp_path, [decision(dialogue, 3, verdict, text)], dialogue)
    assert not (tmp_path / "out").exists()


def test_a_recipe_brings_decisions_into_the_next_version(tmp_path):
    turns = [{"role": "user" if place % 2 == 0 else "assistant", "content": text} for place, text in enumerate(TURNS)]
    write_records(tmp_path / "raw.jsonl", [{"messages": turns}])
    recipe = tmp_path / "made.yaml"
    recipe.write_text("name: made\ninputs: [raw.jsonl]\nout: out\n")
    first = build(recipe, processes=1).version
    (dialogue,) = read_dialogues(first)
    write_records(tmp_path / "decisions.jsonl", [decision(dialogue, 3, "corrected", "孕妇请咨询医生。")])
    recipe.write_text("name: made\ninputs: [raw.jsonl]\nout: out\noptions: {decide: {decisions: decisions.jsonl}}\n")
    second = build(recipe, processes=1).version
    (now,) = read_dialogues(second)
    assert (first.name, second.name, now.id) == ("made-v1", "made-v2", dialogue.id)
    assert now.messages[3].content == "孕妇请咨询医生。"
    assert read_card(second)
