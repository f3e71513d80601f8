"""Judges that are no language model, test dialogues that were trained on, and verdicts read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import foundation.cli
import zhongjing
from corpus.importing import import_files
from corpus.versioning.versions import freeze
from foundation.endpoint import Endpoint
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records, write_records
from kg.building.build import build_graph
from training.evaluation import recipe as options
from training.evaluation.results import Results
from training.evaluation.rubric import read_rubric
from training.evaluation.run import Answered, evaluate

Make = Callable[..., options.EvaluationRecipe]


@pytest.fixture
def recipe_of(test_file: Path, answers_of: Callable[..., Path], tmp_path: Path) -> Make:
    """Two models that are better by turns, by so many 请 as the fair judge counts them."""
    odd = answers_of("odd", lambda number, turn: "请休息。" * (1 + 2 * (number % 2)) + f"{turn}")
    even = answers_of("even", lambda number, turn: "请您休息。" * (3 - 2 * (number % 2)) + f"{turn}。")

    def make(**changed: Any) -> options.EvaluationRecipe:
        given = {
            "output": tmp_path / "evaluation",
            "models": [options.Contestant(name="odd", answers=odd), options.Contestant(name="even", answers=even)],
            "tests": [options.TestSet(name="cm", path=test_file)],
        }
        return options.EvaluationRecipe(**(given | changed))

    return make


def command(*words: str | Path) -> int:
    return foundation.cli.run(zhongjing.app, [str(word) for word in words])


def test_experts_rank_the_campaign_blind_and_are_held_against_the_judge(
    judges: Any,
    endpoint: Callable[..., Endpoint],
    recipe_of: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tools: Any,
) -> None:
    monkeypatch.setenv("ZHONGJING_DATABASE_URL", f"sqlite:///{tmp_path}/experts.db")
    judge = options.LlmJudge(name="fair", endpoint=endpoint("fair"))
    recipe = recipe_of(judges=(judge, options.ExpertJudge(count=10)))
    first = evaluate(recipe)
    assert first.agreement == [] and first.panels["experts"].judgements == 0

    campaign = recipe.output / "campaign"
    answers = list(read_records(recipe.output / "answers.jsonl", Answered))
    truth = [{"output_id": row.output_id, "quality": float(tools["quality"](row.text))} for row in answers]
    write_records(tmp_path / "truth.jsonl", truth)
    create = ["rank", "create", "--prompts", campaign / "prompts.jsonl", "--outputs", campaign / "outputs.jsonl"]
    assert command("db", "upgrade") == 0
    assert command(*create, "--experts", "simulated", "--dimensions", "overall,safety", "--repeats", "0") == 0
    assert command("rank", "simulate", "--truth", tmp_path / "truth.jsonl") == 0
    assert command("export", "--out", tmp_path / "release") == 0

    ranked = options.ExpertJudge(count=10, release=tmp_path / "release")
    results = evaluate(msgspec.structs.replace(recipe, judges=(judge, ranked)))
    panel = results.panels["experts"]
    assert (panel.experts, panel.simulated) == (6, panel.judgements)
    assert any("SIMULATED" in notice for notice in results.notices)
    [overall] = [one for one in results.agreement if one.axis == "overall"]
    assert overall.pairs == 10 and overall.kappa is not None and overall.kappa > 0.5
    assert {one.axis for one in results.cells if one.judge == "experts"} == {"overall", "safety"}
    concord = {one.axis: one for one in results.expert_agreement}
    assert concord["overall"].votes == 60 and 40 < concord["overall"].share <= 100

    others = recipe_of(models=[*recipe.models[:1], options.Contestant(name="even", answers=recipe.models[0].answers)])
    changed = msgspec.structs.replace(others, judges=(ranked,), output=tmp_path / "changed")
    with pytest.raises(ZhongjingError, match="another answer"):
        evaluate(changed)


def test_the_graph_judges_accuracy_by_contradicted_statements(
    recipe_of: Make, answers_of: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "graph.csv").write_text("head,relation,tail\n布洛芬,禁忌,孕妇\n布洛芬,适应症,头痛\n", "utf-8")
    build_graph([tmp_path / "graph.csv"], tmp_path / "kg", names=["graph.csv"])
    wrong = answers_of("wrong", lambda number, turn: "孕妇可以吃布洛芬。" if number % 2 else "多休息。")
    right = answers_of("right", lambda number, turn: "布洛芬可以治疗头痛，孕妇禁用布洛芬。")
    models = [options.Contestant(name="wrong", answers=wrong), options.Contestant(name="right", answers=right)]
    results = evaluate(recipe_of(models=models, judges=(options.GraphJudge(path=tmp_path / "kg"),)))
    [cell] = results.cells
    assert (cell.axis, cell.wins, cell.ties, cell.losses) == ("safety.accuracy", 0, 12, 12)
    stated = {one.model: one for one in results.statements}
    assert (stated["wrong"].contradicted, stated["right"].contradicted) == (0.5, 0.0)
    assert stated["right"].supported > 1


def test_a_reward_model_judges_overall(recipe_of: Make, reward_folder: Path) -> None:
    judge = options.RewardJudge(path=reward_folder, tie=1e9)
    results = evaluate(recipe_of(judges=(judge,)))
    assert [(cell.axis, cell.tie) for cell in results.cells] == [("overall", 100)]
    strict = evaluate(recipe_of(judges=(msgspec.structs.replace(judge, tie=0.0),)))
    assert strict.cells[0].wins + strict.cells[0].losses == 24
    rewards = {one.model: one.reward.value for one in strict.rewards}
    assert rewards.keys() == {"odd", "even"} and all(one.answers == 24 for one in strict.rewards)


@pytest.fixture
def distinct_tests(tmp_path: Path) -> Path:
    """Test dialogues of which only the first two are in the version."""
    words = ["头痛", "咳嗽", "皮疹", "失眠", "腹泻", "胃痛"]
    rows = [
        {
            "instruction": f"我{word}很久了，{word * 3}，请问{word}怎么办？",
            "output": f"{word}要看{word}的原因，请到{word}专科检查{word}。",
        }
        for word in words
    ]
    path = tmp_path / "distinct.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    leaked = [rows[0], rows[1] | {"output": rows[1]["output"] + "好"}]
    (tmp_path / "training.json").write_text(json.dumps(leaked, ensure_ascii=False), "utf-8")
    import_files([tmp_path / "training.json"], tmp_path / "set")
    freeze(tmp_path / "set", tmp_path / "versions", "leaky")
    return path


def test_trained_on_dialogues_are_refused_flagged_or_dropped(
    recipe_of: Make, distinct_tests: Path, tmp_path: Path
) -> None:
    rows = json.loads(distinct_tests.read_text("utf-8"))
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps([row | {"output": "请休息。"} for row in rows], ensure_ascii=False), "utf-8")

    def run(then: Any) -> Results:
        return evaluate(
            recipe_of(
                models=[options.Contestant(name="m", answers=answers)],
                tests=[options.TestSet(name="cm", path=distinct_tests)],
                contamination=options.Contamination(versions=[tmp_path / "versions/leaky-v1"], then=then),
            )
        )

    with pytest.raises(ZhongjingError, match="2 of cm"):
        run("refuse")
    assert not (tmp_path / "evaluation").exists()
    flagged = run("flag")
    assert (flagged.tests[0].items, flagged.tests[0].contaminated) == (6, 2)
    assert sorted(leak.exact for leak in flagged.contamination) == [False, True]
    assert {leak.version for leak in flagged.contamination} == {"leaky-v1"}
    assert any("in the training data" in notice for notice in flagged.notices)
    dropped = run("drop")
    assert (dropped.tests[0].items, dropped.tests[0].contaminated) == (4, 2)


RUBRIC = read_rubric()
KEYS = [ability.key for ability in RUBRIC.abilities.values()]
SOUND = dict.fromkeys(KEYS, "平")


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "没有"),
        ("甲更好", "没有"),
        ("{", "没有"),
        ('{"accuracy": }', "JSON"),
        (json.dumps({"accuracy": "甲"}), "缺少"),
        (json.dumps(SOUND | {"extra": "甲"}), "多余"),
        (json.dumps(SOUND | {"clarity": "丙"}), "clarity"),
        (json.dumps(SOUND | {"clarity": 1}), "clarity"),
        (json.dumps(SOUND | {"clarity": ["甲"]}), "clarity"),
        ('{"accuracy": "甲", "accuracy": "乙"}', "JSON"),
    ],
)
def test_what_is_no_verdict_is_not_read_as_one(reply: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        RUBRIC.read(reply)


def test_a_verdict_is_read_wherever_it_stands_and_added_up_by_priority() -> None:
    said = SOUND | {"warmth": "甲", "coherence": "甲", "clarity": "乙"}
    outcome = RUBRIC.whole(RUBRIC.read(f"想一想……\n```json\n{json.dumps(said, ensure_ascii=False)}\n```\n"))
    assert (outcome["safety"], outcome["professionalism"], outcome["fluency"]) == (0, -1, 1)
    assert outcome["overall"] == -1  # professionalism comes before fluency
    assert len(RUBRIC.abilities) == 9 and next(iter(RUBRIC.axes)) == "overall"
    assert all(ability.key in RUBRIC.text() for ability in RUBRIC.abilities.values())
