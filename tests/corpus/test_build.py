"""The whole chain by a recipe: what is complete is reused, what changed is made again; and the way back."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from corpus.build import Options, build, read_recipe, run_chain
from corpus.privacy.originals import reidentify
from corpus.records import Prompt
from corpus.rewriting.rewrites import RewriteStep
from corpus.sampling import sample_prompts
from corpus.sets import DIALOGUES, REJECTS, StageResult, read_dialogues
from corpus.trace import trace
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects

STEPS = ["import", "normalise", "deidentify", "filter", "dedup", "classify", "freeze"]
ROWS = [
    {"id": "r1", "instruction": "我叫赵文博，孩子发烧39度怎么办？", "output": "可以吃布洛芬，孩子多大？"},
    {"id": "r2", "instruction": "我叫赵文博，孩子发烧39度怎么办？", "output": "可以吃布洛芬。"},
    {"id": "r3", "instruction": "谢谢医生", "output": "不客气"},
    {"id": "r4", "instruction": "胃痛反酸一个月了，吃什么药？", "output": "先做胃镜，可以吃奥美拉唑。"},
    {"messages": "broken"},
]


@pytest.fixture
def raw(jsonl: Callable[..., Path]) -> Path:
    return jsonl(*ROWS)


def test_the_chain_loses_nothing(raw: Path, tmp_path: Path) -> None:
    seen: list[StageResult] = []
    results = run_chain([raw], None, tmp_path / "run", "care", names=["raw.jsonl"], on_stage=seen.append)
    assert [result.stage for result in results] == STEPS
    assert seen == results
    assert all(result.read == result.kept + sum(result.rejected.values()) for result in results)
    assert [later.read for later in results[1:]] == [earlier.kept for earlier in results[:-1]]
    version = tmp_path / "run" / "versions" / "care-v1"
    kept, left_out = list(read_dialogues(version)), list(read_rejects(version / REJECTS))
    assert [dialogue.meta.raw_id for dialogue in kept] == ["r1", "r4"]
    assert sorted((reject.stage, reject.reason, reject.line) for reject in left_out) == [
        ("dedup", "duplicate", 2),
        ("filter", "goodbye_only", 3),
        ("import", "messages_not_a_list", 5),
    ]
    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*.json*") if file != raw)
    assert "赵文博".encode() not in everything
    assert "发烧".encode() not in (version / REJECTS).read_bytes()


def test_a_second_run_reuses_and_a_change_is_noticed(raw: Path, tmp_path: Path) -> None:
    def run() -> list[bool]:
        return [result.reused for result in run_chain([raw], None, tmp_path / "run", "care", names=["raw.jsonl"])]

    assert run() == [False] * 7
    assert run() == [True] * 7
    shutil.rmtree(tmp_path / "run" / "work" / "filter")
    assert run() == [True, True, True, False, True, True, True]
    (tmp_path / "run" / "work" / "dedup" / DIALOGUES).write_bytes(b"damaged")
    assert run() == [True, True, True, True, False, True, True]
    raw.write_text(raw.read_text() + json.dumps({"question": "头晕怎么办", "answer": "量血压"}) + "\n")
    assert run() == [False] * 7
    assert (tmp_path / "run" / "versions" / "care-v2").is_dir()


def test_two_runs_give_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_chain([raw], None, tmp_path / name, "care", names=["raw.jsonl"])
    hashes = [read_manifest(tmp_path / name / "versions" / "care-v1").sha256 for name in ("one", "two")]
    assert hashes[0] == hashes[1]


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_runs_the_chain(raw: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, "name: care\ninputs: [raw.jsonl]\nout: run\noptions:\n  filter: {min_chars: 20}\n")
    results = build(path).results
    assert [result.stage for result in results] == STEPS
    assert results[3].rejected == {"goodbye_only": 1}
    assert (tmp_path / "run" / "versions" / "care-v1").is_dir()
    assert raw.exists()


def test_a_key_outside_the_folder_seals_what_was_replaced(raw: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, "name: care\ninputs: [raw.jsonl]\nout: run\n")
    with pytest.raises(ZhongjingError, match="inside the set"):
        build(path, key=tmp_path / "run" / "key")
    built = build(path, key=tmp_path / "secret" / "key")
    assert built.originals == tmp_path / "secret" / "care.originals.jsonl"
    reidentify(built.version, tmp_path / "open", key=tmp_path / "secret" / "key", originals=built.originals)
    assert dict(opening_turns(tmp_path / "open"))["r1"].startswith("我叫赵文博")
    assert "赵文博" not in dict(opening_turns(built.version))["r1"]


def opening_turns(folder: Path) -> Iterator[tuple[str | None, str]]:
    for dialogue in read_dialogues(folder):
        yield dialogue.meta.raw_id, dialogue.messages[0].content


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: a\ninputs: [x]\nout: o\ncolour: red\n", "colour"),
        ("name: a\ninputs: [x]\nout: o\noptions: {dedup: {treshold: 1}}\n", "treshold"),
        ("name: a\nout: o\n", "inputs"),
        ("name: a\ninputs: []\nout: o\n", "no inputs"),
        ("name: [\n", "YAML"),
        ("- 1\n", "object"),
        ("name: a\ninputs: [missing.json]\nout: o\n", "missing.json"),
        ("name: ../a\ninputs: [recipe.yaml]\nout: o\n", "no name"),
        ("name: a\ninputs: [recipe.yaml]\nout: o\ngraph: none\n", "no such folder"),
        ("name: a\ninputs: [recipe.yaml]\nout: o\naliases: a.json\n", "aliases"),
        ("name: a\ninputs: [recipe.yaml]\nout: o\noptions: {dedup: {threshold: 3}}\n", "threshold"),
        ("name: a\ninputs: [recipe.yaml]\nout: o\noptions: {filter: {min_han_share: 7}}\n", "min_han_share"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ZhongjingError, match=named):
        build(recipe(tmp_path, text))
    assert not (tmp_path / "o").exists()


def test_a_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="no such file"):
        read_recipe(tmp_path / "none.yaml")


@pytest.fixture
def run(raw: Path, tmp_path: Path) -> Path:
    """A run with prompts, an output, a ranking and a pair made up on top of it."""
    root = tmp_path / "run"
    run_chain([raw], None, root, "care", names=["raw.jsonl"])
    sample_prompts(root / "versions" / "care-v1", root / "prompts.jsonl", count=5, seed=1)
    prompt = next(read_records(root / "prompts.jsonl", Prompt))
    (root / "outputs.jsonl").write_text(json.dumps({"output_id": "o-1", "prompt_id": prompt.prompt_id}) + "\n")
    (root / "release").mkdir()
    pair = {"pair_id": "pair-1", "prompt_id": prompt.prompt_id}
    (root / "release" / "preferences.jsonl").write_text(f"broken pair-1\n{json.dumps(pair)}\n")
    ranking = {"prompt_id": prompt.prompt_id, "responses": [{"output_id": "o-2"}]}
    (root / "release" / "rankings.jsonl").write_text(json.dumps(ranking) + "\n")
    return root


@pytest.mark.parametrize(("identity", "steps"), [("pair-1", 4), ("o-1", 4), ("o-2", 4)])
def test_the_way_back_from_a_pair_or_an_output(run: Path, identity: str, steps: int) -> None:
    chain = trace(identity, run)
    assert len(chain) == steps
    assert chain[-1] == "raw file raw.jsonl, line 1 (called r1 there), read as jsonl"
    assert "发烧" not in "".join(chain)


def test_the_way_back_from_a_prompt_and_a_dialogue(run: Path) -> None:
    prompt = list(read_records(run / "prompts.jsonl", Prompt))[-1]
    assert trace(prompt.prompt_id, run)[0].startswith(f"prompt {prompt.prompt_id} (prompts.jsonl:2)")
    chain = trace(prompt.dialogue_id, run)
    assert chain[0] == f"dialogue {prompt.dialogue_id} (versions/care-v1/dialogues.parquet:2)"
    assert chain[1].startswith("raw file raw.jsonl, line 4")


def test_a_dialogue_left_out_says_why(run: Path) -> None:
    reject = next(reject for reject in read_rejects(run / "versions" / "care-v1" / REJECTS) if reject.line == 3)
    assert reject.id is not None
    chain = trace(reject.id, run)
    assert "left out by filter: goodbye_only" in chain[-2]
    assert chain[-1] == "raw file raw.jsonl, line 3"


def test_a_removed_copy_names_its_keeper(run: Path) -> None:
    version = run / "versions" / "care-v1"
    reject = next(reject for reject in read_rejects(version / REJECTS) if reject.stage == "dedup")
    keeper = next(dialogue.id for dialogue in read_dialogues(version) if dialogue.meta.line == 1)
    chain = trace(reject.id or "", version)
    assert f"left out by dedup: duplicate (near copy of {keeper})" in chain[0]
    assert chain[-1] == "raw file raw.jsonl, line 2"
    assert trace(keeper, version)[-1].startswith("raw file raw.jsonl, line 1")


def test_an_unknown_id_says_where_it_was_sought(run: Path) -> None:
    with pytest.raises(ZhongjingError, match=r"(?s)pair-9.*preferences\.jsonl"):
        trace("pair-9", run)
    with pytest.raises(ZhongjingError, match="no such folder"):
        trace("pair-9", run / "none")


def test_a_folder_without_the_dialogues_says_so(run: Path) -> None:
    prompt = next(read_records(run / "prompts.jsonl", Prompt))
    shutil.copyfile(run / "prompts.jsonl", run / "release" / "prompts.jsonl")
    chain = trace("pair-1", run / "release")
    assert chain[-1].startswith(f"dialogue {prompt.dialogue_id} is not under this folder")


def test_a_recipe_takes_patterns_and_keeps_clear_of_a_test_set_and_an_older_version(
    jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    asked = [
        {"question": f"{what}三天了，吃什么药好得快一点？", "answer": f"{what}先去医院看看，多休息。"}
        for what in "咳吐泻"
    ]
    old, test = jsonl(asked[0], name="old.jsonl"), jsonl(asked[1], name="test.jsonl")
    run_chain([old], None, tmp_path / "before", "care")
    jsonl(*asked[:2], name="a.part.jsonl")
    jsonl(asked[2], name="b.part.jsonl")
    path = recipe(
        tmp_path,
        "name: care\ninputs: ['*.part.jsonl']\nout: run\noptions:\n  filter: {min_chars: 0}\n"
        f"  dedup: {{threshold: 1, against: before/versions/care-v1, exclude: {test.name}}}\n",
    )
    built = build(path)
    kept = [dialogue.meta.file for dialogue in read_dialogues(built.version)]
    assert kept == ["b.part.jsonl"]
    reasons = sorted(reject.reason for reject in read_rejects(built.version / REJECTS))
    assert len(reasons) == 2
    assert "咳三天" not in built.report.read_text(encoding="utf-8").split("<body>")[0]


def test_a_report_without_texts_quotes_nobody(raw: Path, tmp_path: Path) -> None:
    head = "name: care\ninputs: [raw.jsonl]\nout: run\n"
    assert "发烧39度" in build(recipe(tmp_path, head)).report.read_text(encoding="utf-8")
    assert "发烧39度" not in build(recipe(tmp_path, head + "texts: false\n")).report.read_text(encoding="utf-8")


def test_the_report_marks_what_differs_and_escapes_what_patients_write(
    jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    long = "孩子发烧三天了一直不退还有点咳嗽流鼻涕精神不太好请问应该怎么办才好"
    rows = [{"question": long + end, "answer": "先量体温，多喝水，超过38.5度吃退烧药。"} for end in ("？", "<b>啊？")]
    jsonl(*rows)
    page = build(recipe(tmp_path, "name: care\ninputs: [raw.jsonl]\nout: run\n")).report.read_text(encoding="utf-8")
    assert "<mark>&lt;b&gt;啊</mark>" in page
    assert "<b>啊" not in page


def test_the_page_for_curators_names_every_option_of_a_recipe():
    page = (Path(__file__).parents[2] / "docs" / "curation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", page.partition("## One recipe")[2], re.MULTILINE)
    documented = {step: re.findall(r"\w+", keys) for step, keys in rows}
    known = {field.name: field.type for field in msgspec.structs.fields(Options)} | {"rewrite": RewriteStep}
    assert documented.keys() == known.keys()
    for step, keys in documented.items():
        assert sorted(keys) == sorted(known[step].__struct_fields__), step
