"""Departments, scenarios and the course of consultations: the vocabulary, the evidence, the model, the step."""

import csv
import io
import json
import pickle
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

import corpus.steps
from corpus.classification.classifier import KIND, WEIGHTS, Classifier, default_model
from corpus.classification.classify import ClassifyOptions, classify, profiled
from corpus.classification.evidence import GraphEvidence, Lexicon, department_lexicon
from corpus.classification.features import COLUMNS, count_grams, rarity_of, weigh
from corpus.classification.report import about, course
from corpus.classification.scores import Score, confusion_of
from corpus.classification.teaching import Example, _is_test, _learned, _read, report_of, teach
from corpus.classification.views import Looker
from corpus.classification.vocabulary import department_words, scenario_forms, scenarios, vocabulary
from corpus.departments import department_of
from corpus.importing import import_files
from corpus.records import DEPARTMENTS, Dialogue
from corpus.sets import DIALOGUES, read_dialogues
from corpus.versioning.versions import freeze, read_card
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from kg.building.build import build_graph
from kg.graph import KnowledgeGraph

SAMPLE = Path(__file__).parents[2] / "demo" / "sample"
FILES = [SAMPLE / name for name in ("messages.jsonl", "cmtmedqa.json", "dialogues.gb18030.csv")]
CONSULTATION = [
    "月经推迟十天了，会不会是怀孕了？",
    "您好，您多大年纪？最近有没有同房？用过验孕棒吗？",
    "25岁，上周有过，验孕棒没测。小肚子有点疼",
    "建议先查一下血HCG，如果疼得厉害要及时到妇科就诊，注意不要自己吃药。",
    "好的谢谢",
    "不客气",
]
texts = st.text(alphabet=st.sampled_from("头疼发烧咳嗽ABc1，。 \n?"), max_size=12)


def test_the_vocabulary_is_one() -> None:
    assert {one.name for one in vocabulary().department} == set(DEPARTMENTS)
    assert len(scenarios()) == len(set(scenarios())) >= 12
    assert {"疾病诊断", "用药咨询", "健康咨询"} <= set(scenarios())
    assert all(len(words) >= 40 for words in department_words().values())
    assert all(len(forms) >= 12 for forms in scenario_forms().values())
    assert [department_of(name) for name in ("皮肤科", "传染科", "骨科", "nan", "雀斑")] == [
        "皮肤性病科",
        "传染病科",
        "外科",
        None,
        "整形美容",
    ]


def grams(text: str) -> Counter[str]:
    """The n-grams of a text, the slow way: runs of letters, in windows of one to four."""
    runs, run = [], ""
    for letter in text.lower() + "\n":
        if (letter.isalpha() and letter.isascii()) or "\u3400" <= letter < "\ua000":
            run += letter
        else:
            runs.append(run)
            run = ""
    windows = ((run, start, size) for run in runs for size in range(1, 5) for start in range(len(run) - size + 1))
    return Counter(run[start : start + size] for run, start, size in windows)


@given(st.lists(texts, max_size=6))
@settings(deadline=None)
def test_grams_are_counted_as_the_slow_way_counts_them(many: list[str]) -> None:
    counts = count_grams(many)
    assert counts.shape == (len(many), COLUMNS)
    for row, text in enumerate(many):
        expected = grams(text)
        assert counts[[row]].sum() == expected.total()
        assert len(expected) - 2 <= counts[[row]].nnz <= len(expected)  # two of them may share a column
        assert (count_grams([text]) != counts[[row]]).nnz == 0


@given(st.lists(texts, min_size=1, max_size=5))
@settings(deadline=None)
def test_weighed_rows_have_length_one(many: list[str]) -> None:
    counts = count_grams(many)
    lengths = np.sqrt(weigh(counts, rarity_of(counts)).power(2).sum(axis=1))
    assert np.allclose(lengths, [1.0 if grams(text) else 0.0 for text in many], atol=1e-5)


@given(st.lists(texts, max_size=5))
@settings(deadline=None)
def test_words_count_for_their_text_alone(many: list[str]) -> None:
    lexicon = Lexicon({"内科": ["头疼", "发烧"], "儿科": ["发烧", "咳嗽"]})
    for text, scores in zip(many, lexicon.scores(many), strict=True):
        pains, fevers, coughs = (text.count(word) for word in ("头疼", "发烧", "咳嗽"))
        root = 2**0.5
        assert scores[0] == pytest.approx(root * (np.log1p(pains) + np.log1p(fevers) / 2))
        assert scores[1] == pytest.approx(root * (np.log1p(coughs) + np.log1p(fevers) / 2))


def test_a_graph_says_where_its_entities_belong(tmp_path: Path) -> None:
    rows = "head,relation,tail\n甲病,就诊科室,皮肤科\n乙药,适应症,肝硬化\n丙物,生产企业,丁厂\n"
    (tmp_path / "graph.csv").write_text(rows, encoding="utf-8")
    build_graph([tmp_path / "graph.csv"], tmp_path / "kg")
    evidence = GraphEvidence(KnowledgeGraph.open(tmp_path / "kg"))
    classes = department_lexicon().classes
    assert classes[evidence.of(["甲病"]).argmax()] == "皮肤性病科"
    assert classes[evidence.of(["乙药"]).argmax()] == "传染病科"
    assert evidence.of(["甲病", "乙药"]).sum() == pytest.approx(1.3)
    assert evidence.of(["丁厂"]).sum() == 0.0


@given(st.lists(st.tuples(st.sampled_from("甲乙丙"), st.sampled_from("甲乙丙")), min_size=1, max_size=30))
@settings(deadline=None)
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    true, decided = zip(*pairs, strict=True)
    classes = ["甲", "乙", "丙"]
    confusion = confusion_of(classes, true, decided)
    assert confusion == confusion_matrix(true, decided, labels=classes).tolist()
    score = Score(classes=classes, trained={}, tested=Counter(true), confusion=confusion, alone={})
    assert score.accuracy == pytest.approx(accuracy_score(true, decided))
    expected = precision_recall_fscore_support(true, decided, labels=classes, zero_division=0.0)
    for place, name in enumerate(classes):
        assert score.by_class()[name] == pytest.approx([expected[part][place] for part in range(3)])
    present = sorted(set(true))
    macro = precision_recall_fscore_support(true, decided, labels=present, average="macro", zero_division=0.0)[2]
    assert score.macro_f1 == pytest.approx(macro)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, trained again."""
    folder = tmp_path_factory.mktemp("models") / "again"
    teach(FILES, folder)
    return folder


@pytest.fixture(scope="module")
def sample() -> list[Dialogue]:
    return _read(FILES)[0]


def test_the_shipped_model_is_what_training_on_the_sample_gives(model: Path, sample: list[Dialogue]) -> None:
    again, shipped = Classifier.open(model), default_model()
    for one, other in ((again.department, shipped.department), (again.scenario, shipped.scenario)):
        assert one.classes == other.classes
        assert len(np.intersect1d(one.columns, other.columns)) > 0.98 * len(one.columns)
    views = Looker(None).views(sample, None)
    assert [guess.name for guess in again.departments(views)] == [guess.name for guess in shipped.departments(views)]
    assert [guess.name for guess in again.scenarios(views)] == [guess.name for guess in shipped.scenarios(views)]
    shipped_folder = Path(corpus.steps.__file__).parent / "data" / "classifier"
    assert read_manifest(model, KIND).inputs == read_manifest(shipped_folder, KIND).inputs


def test_what_is_tested_was_not_learned(sample: list[Dialogue]) -> None:
    examples = [Example(one, one.department) for one in sample if one.department]
    learned = {one.dialogue.messages[0].content for one in _learned(examples)}
    held_back = {one.dialogue.messages[0].content for one in examples if _is_test(one)}
    assert held_back
    assert learned
    assert not learned & held_back


def test_training_says_what_it_saw(model: Path) -> None:
    metrics = json.loads((model / "metrics.json").read_bytes())
    score = metrics["department"]
    assert sum(score["trained"].values()) + sum(score["tested"].values()) == metrics["labelled"] == 150
    assert sum(map(sum, score["confusion"])) == sum(score["tested"].values())
    right = sum(row[place] for place, row in enumerate(score["confusion"]))
    assert right / sum(score["tested"].values()) > 0.5
    page = report_of(model).read_text(encoding="utf-8")
    assert "混淆矩阵" in page
    assert "没有样本的类别" in page


def test_a_class_without_examples_is_said(tmp_path: Path) -> None:
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(["department", "title", "ask", "answer"])
    table.writerows(["内科", f"头疼{number}天", f"头疼了{number}天怎么办", "多休息，测血压"] for number in range(8))
    (tmp_path / "one.csv").write_bytes(rows.getvalue().encode("gb18030"))
    taught = teach([tmp_path / "one.csv"], tmp_path / "model")
    said = "\n".join(taught.warnings())
    assert "no example of the department 整形美容" in said
    assert "known by the vocabulary alone" in said
    assert "no example says its scenario" in said
    assert set(taught.department.without(taught.department.trained)) == set(DEPARTMENTS) - {"内科"}


def test_files_that_name_no_department_teach_nothing(jsonl: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match="names a department"):
        teach([jsonl({"question": "头疼怎么办", "answer": "多休息"})], tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_damaged_model_is_refused(model: Path, tmp_path: Path) -> None:
    for name, content in (("cut", (model / WEIGHTS).read_bytes()[:900]), ("other", b"not an archive")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "manifest.json").write_bytes((model / "manifest.json").read_bytes())
        (folder / WEIGHTS).write_bytes(content)
        with pytest.raises(ZhongjingError, match="cannot be used"):
            Classifier.open(folder)


def test_a_model_that_would_run_code_is_refused(model: Path, tmp_path: Path) -> None:
    """An object array is a pickle: loading it would run what it holds."""

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return (Path(tmp_path / "sprung").write_text, ("",))

    folder = tmp_path / "trap"
    folder.mkdir()
    (folder / "manifest.json").write_bytes((model / "manifest.json").read_bytes())
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    with zipfile.ZipFile(model / WEIGHTS) as good, zipfile.ZipFile(folder / WEIGHTS, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, header.getvalue() + pickle.dumps([Trap()]) if "classes" in name else good.read(name))
    with pytest.raises(ZhongjingError, match="cannot be used"):
        Classifier.open(folder)
    assert not (tmp_path / "sprung").exists()


def test_the_step_fills_in_what_is_missing(
    set_of: Callable[..., Path], make_dialogue: Callable[..., Dialogue], tmp_path: Path
) -> None:
    stated = make_dialogue(CONSULTATION, number=1, department="内科")
    result = classify(set_of(stated, CONSULTATION, ["谢谢", "不客气"]), tmp_path / "out")
    first, second, third = read_dialogues(tmp_path / "out")
    assert (first.department, second.department) == ("内科", "妇产科")
    assert first.profile is not None
    assert second.profile is not None
    assert third.profile is not None
    assert (first.profile.department, first.profile.stated, second.profile.stated) == ("妇产科", True, False)
    assert first.scenario in scenarios()
    assert second.profile.department_confidence > 0.5
    assert (second.profile.questions, second.profile.structure) == (1, "doctor_led")
    assert (result.read, result.kept, result.rejected) == (3, 3, {})
    assert result.details["departments_stated"] == 1
    again = classify(tmp_path / "out", tmp_path / "again")
    assert again.details["departments_stated"] == 1
    assert list(read_dialogues(tmp_path / "again")) == [first, second, third]


def test_an_unsure_department_is_left_open(set_of: Callable[..., Path], tmp_path: Path) -> None:
    options = ClassifyOptions(min_confidence=0.999)
    result = classify(set_of(["谢谢", "不客气"]), tmp_path / "out", options=options)
    only = next(read_dialogues(tmp_path / "out"))
    assert only.department is None
    assert only.profile is not None
    assert only.profile.department in DEPARTMENTS
    assert result.details["departments_left_open"] == 1


def test_neither_batches_nor_processes_show(
    sample: list[Dialogue], set_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = [found for one in sample[:40] for found in profiled([one], default_model(), Looker(None))]
    assert list(profiled(sample[:40], default_model(), Looker(None))) == one_by_one
    monkeypatch.setattr("corpus.sets.BATCH", 20)
    monkeypatch.setattr(corpus.steps, "SHARD", 1)
    source = set_of(*sample[:40])
    for name, processes in (("one", 1), ("two", 2)):
        classify(source, tmp_path / name, processes=processes)
    assert (tmp_path / "one" / DIALOGUES).read_bytes() == (tmp_path / "two" / DIALOGUES).read_bytes()


def test_a_set_from_before_there_were_profiles_is_read(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(CONSULTATION)
    rows = pq.read_table(source / DIALOGUES)
    pq.write_table(rows.drop_columns(["profile"]), source / DIALOGUES)
    assert next(read_dialogues(source)).profile is None
    assert classify(source, tmp_path / "out").kept == 1


def test_the_sample_is_told_apart(sample: list[Dialogue], tmp_path: Path) -> None:
    """Made-up consultations that the model was partly trained on: a guard against scrambled columns, no measurement."""
    stated = [one for one in sample if one.department]
    found = list(profiled(stated, default_model(), Looker(None)))
    alike = sum(one.profile.department == one.department for one in found if one.profile)
    assert alike > 0.75 * len(stated)


@pytest.mark.parametrize(
    ("asked", "scenario"),
    [
        ("请问痛风应该挂什么科？", "就诊指导"),
        ("布洛芬一天吃几次，饭前还是饭后吃？", "用药咨询"),
        ("痛风不能吃什么，需要忌口吗", "饮食营养"),
        ("阑尾炎手术风险大吗", "手术咨询"),
        ("怎么预防流感，要打什么疫苗", "预防保健"),
        ("血常规白细胞偏高是什么意思", "检查解读"),
        ("白血病能活多久，会遗传吗", "预后转归"),
        ("我心情很低落，总是胡思乱想", "心理支持"),
        ("荨麻疹怎么治疗", "治疗方案"),
        ("为什么会得胃溃疡，是什么原因引起的", "病因分析"),
        ("骨折以后怎么护理，多久能恢复", "康复护理"),
        ("孕妇可以坐飞机吗，对胎儿有影响吗", "孕产育儿"),
        ("孩子误食了干燥剂怎么办", "急症处理"),
        ("胸口闷，总是心慌，这是怎么回事", "疾病诊断"),
        ("什么是体脂率，多少算正常", "健康咨询"),
    ],
)
def test_scenarios(make_dialogue: Callable[..., Dialogue], asked: str, scenario: str) -> None:
    found = next(profiled([make_dialogue([asked, "您好"])], default_model(), Looker(None)))
    assert found.profile is not None
    assert found.profile.scenario == scenario


def test_raw_files_and_sets_teach_alike(tmp_path: Path) -> None:
    import_files(FILES[:1], tmp_path / "set")
    from_set, rejected = _read([tmp_path / "set"])
    from_file, _ = _read(FILES[:1])
    assert [one.messages for one in from_set] == [one.messages for one in from_file]
    assert rejected == 0


def test_what_was_filled_in_is_no_label(set_of: Callable[..., Path], tmp_path: Path) -> None:
    classify(set_of(CONSULTATION), tmp_path / "out")
    assert next(read_dialogues(tmp_path / "out")).department == "妇产科"
    with pytest.raises(ZhongjingError, match="names a department"):
        teach([tmp_path / "out"], tmp_path / "model")


def test_the_report_of_a_set(
    set_of: Callable[..., Path], make_dialogue: Callable[..., Dialogue], tmp_path: Path
) -> None:
    classify(set_of(make_dialogue(CONSULTATION, department="内科"), CONSULTATION), tmp_path / "out")
    headings = [block.heading for block in about(tmp_path / "out").blocks]
    assert any("0.0% alike" in heading for heading in headings)
    assert len(course(tmp_path / "out").blocks) == 5
    classify(set_of(name="nothing"), tmp_path / "empty")
    assert not any("alike" in block.heading for block in about(tmp_path / "empty").blocks)
    assert len(course(tmp_path / "empty").blocks) == 5


def test_a_folder_that_is_no_model_is_refused_before_any_work(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(CONSULTATION)
    for model, said in ((source, "dialogue-classifier"), (tmp_path / "nowhere", "no such folder")):
        with pytest.raises(ZhongjingError, match=said):
            classify(source, tmp_path / "out", options=ClassifyOptions(model=str(model)))
    assert not (tmp_path / "out").exists()


def test_the_card_of_a_version_counts_scenarios(set_of: Callable[..., Path], tmp_path: Path) -> None:
    classify(set_of(CONSULTATION), tmp_path / "out")
    freeze(tmp_path / "out", tmp_path / "versions", "care")
    only = next(read_dialogues(tmp_path / "versions" / "care-v1"))
    assert f"| {only.scenario} | 1 |" in read_card(tmp_path / "versions" / "care-v1")
