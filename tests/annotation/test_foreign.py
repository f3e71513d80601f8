"""Rankings of other tools, as those tools write them."""

from __future__ import annotations

import csv
import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from annotation.database import Database
from annotation.errors import ConflictError, InvalidError
from annotation.foreign import argilla, label_studio_json
from annotation.foreign.importing import Terms, import_rankings
from annotation.foreign.label_tool import read_table, undone
from annotation.judgements import judged_tasks
from annotation.ranking import Decision, submit
from annotation.simulation.experts import add_simulated_experts
from annotation.tables.decisions import Queue, Submission
from annotation.tables.models import Assignment
from foundation.errors import ZhongjingError

LI = "李医生"
TERMS = Terms(expert=LI)


@pytest.fixture
def quick(sqlite_url):
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def campaign(quick, made):
    """24 prompts, none of which 李医生 has been asked about, and a colleague who has."""
    with quick.write() as session:
        made.person(session)
        made.person(session, "王医生")
        return made.campaign(session, experts=["王医生"], overlap=1, prompts=24, repeats=0.0)


def brought(database, campaign, *files, terms=TERMS):
    with database.write() as session:
        return import_rankings(session, session.merge(campaign), list(files), terms)


def stored(database, campaign, dimension="overall"):
    """Tiers by prompt and expert."""
    with database.read() as session:
        return {
            (task.prompt.prompt_id, judgement.expert): judgement.tiers
            for task in judged_tasks(session, session.merge(campaign))
            for judgement in task.judgements
            if judgement.dimension == dimension
        }


def reasons(done):
    return [(row.line, row.reason) for row in done.refused]


# RLHF-Label-Tool


def as_the_tool_stores(answers, ranks):
    """Its app.py: column i gets the answer that was shown at the place that is the rank of answer i."""
    return [answers[rank - 1] for rank in ranks]


def tool_files(folder, made, ranks_by_prompt, name="output_result.tsv"):
    """What the tool leaves: pandas' TSV, and the JSON from which it showed the answers."""
    prompts = {prompt.prompt_id: prompt for prompt in made.prompts(24)}
    texts = [output.text for output in made.outputs(made.prompts(1))]
    shown = {p: [*texts[at % 4 :], *texts[: at % 4]] for at, p in enumerate(sorted(ranks_by_prompt))}
    table = folder / name
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["id", "query", "history", "rank1", "rank2", "rank3", "rank4"])
        for prompt, ranks in sorted(ranks_by_prompt.items()):
            words = prompts[prompt].messages[-1].content
            writer.writerow([prompt, words, "[]", *as_the_tool_stores(shown[prompt], ranks)])
    content = {
        prompt: {"query": prompts[prompt].messages[-1].content, "history": []}
        | {f"response_{at}": text for at, text in enumerate(answers)}
        for prompt, answers in shown.items()
    }
    (folder / "input_file.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return table, shown


def test_the_tool_stores_14_of_24_orders_wrong():
    answers = ["w", "x", "y", "z"]
    meant = {ranks: sorted(answers, key=lambda a, r=ranks: r[answers.index(a)]) for ranks in permutations(range(1, 5))}
    wrong = [ranks for ranks in meant if as_the_tool_stores(answers, ranks) != meant[ranks]]
    assert len(wrong) == 14
    for ranks in meant:
        assert undone(as_the_tool_stores(answers, ranks), answers) == [[answer] for answer in meant[ranks]]


def test_all_24_orders_of_the_tool_come_out_as_they_were_meant(quick, campaign, made, tmp_path):
    ranks = dict(zip((f"p-{n:02}" for n in range(24)), permutations(range(1, 5)), strict=True))
    table, shown = tool_files(tmp_path, made, ranks)
    done = brought(quick, campaign, table, tmp_path / "input_file.json")
    assert (done.stored, done.already, done.refused) == (24, 0, [])
    name_of = {output.text: output.output_id[-1] for output in made.outputs(made.prompts(1))}
    assert stored(quick, campaign) == {
        (prompt, LI): [
            [f"o-{prompt}-{name_of[text]}"] for _, text in sorted(zip(ranks[prompt], shown[prompt], strict=True))
        ]
        for prompt in ranks
    }
    with quick.read() as session:
        origins = session.scalars(select(Submission.origin)).all()
        assert sorted(origins)[0] == "rlhf-label-tool output_result.tsv:10"
        assert session.scalar(select(Queue.total).where(Queue.expert_id == 1)) == 24


def test_prompts_are_known_by_their_words_where_the_tool_numbered_them(quick, campaign, made, tmp_path):
    table, _ = tool_files(tmp_path, made, {"p-00": (2, 3, 4, 1), "p-07": (4, 1, 3, 2)})
    for path in (table, tmp_path / "input_file.json"):
        path.write_text(path.read_text().replace("p-00", "0").replace("p-07", "1"))
    assert brought(quick, campaign, table).stored == 2
    assert {prompt for prompt, _ in stored(quick, campaign)} == {"p-00", "p-07"}


def test_earlier_turns_of_the_tool_are_read_as_python_prints_them():
    rows = [
        ["id", "query", "history", "rank1", "rank2"],
        ["7", "然后呢？", "[['咳嗽', '多久了？'], ['三天', '好']]", "b", "a"],
        ["8", "？", "os.system", "a", "b"],
    ]
    text = "".join("\t".join(cells) + "\n" for cells in rows)
    row, bad = read_table(text, lambda name, turns: ["a", "b"])
    assert (row.turns, row.orders["overall"]) == (["咳嗽", "多久了？", "三天", "好", "然后呢？"], [["b"], ["a"]])
    assert (bad.line, bad.reason) == (3, "the column history is no list of turns")


def test_the_same_file_again_changes_nothing(quick, campaign, made, tmp_path):
    table, _ = tool_files(tmp_path, made, {"p-00": (2, 3, 4, 1), "p-01": (1, 2, 3, 4)})
    assert brought(quick, campaign, table).stored == 2
    again = brought(quick, campaign, table)
    assert (again.stored, again.already, again.refused) == (0, 2, [])
    with quick.read() as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == 2
    other, _ = tool_files(tmp_path, made, {"p-00": (1, 2, 3, 4)})
    assert reasons(brought(quick, campaign, other)) == [
        (2, "another order of this expert's was imported for this prompt before")
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_files_as_spreadsheets_save_them(quick, campaign, made, tmp_path, encoding):
    """With a mark or in GB18030, lines ended by CR LF; a row of a million characters is refused, the others go on."""
    table, _ = tool_files(tmp_path, made, {f"p-{n:02}": (2, 3, 4, 1) for n in range(3)})
    lines = table.read_text("utf-8").splitlines()
    lines.insert(2, "医" * 1_000_000)
    table.write_bytes("\r\n".join([*lines, ""]).encode(encoding))
    (tmp_path / "input_file.json").write_bytes((tmp_path / "input_file.json").read_text("utf-8").encode(encoding))
    done = brought(quick, campaign, table)
    assert (done.stored, reasons(done)) == (3, [(3, "1 columns where the head has 7")])
    rows = [argilla_record(f"p-{n:02}", ORDER) for n in range(3, 6)]
    words = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in [rows[0], {"x": "医" * 1_000_000}, *rows[1:]])
    (tmp_path / "argilla.jsonl").write_bytes(words.encode(encoding))
    done = brought(quick, campaign, tmp_path / "argilla.jsonl")
    assert (done.stored, reasons(done)) == (3, [(2, "this is no record of Argilla")])


def test_without_its_input_file_the_tools_order_is_unknown(quick, campaign, made, tmp_path):
    table, _ = tool_files(tmp_path, made, {"p-00": (2, 3, 4, 1)})
    (tmp_path / "input_file.json").unlink()
    done = brought(quick, campaign, table)
    assert done.stored == 0
    assert "give the tool's input_file.json" in done.refused[0].reason
    assert brought(quick, campaign, table, terms=Terms(expert=LI, in_order_of_ids=True)).stored == 1
    assert stored(quick, campaign) == {("p-00", LI): [[f"o-p-00-{k}"] for k in (3, 0, 1, 2)]}


def test_damaged_rows_of_the_tool_are_refused_by_line_and_the_others_go_on(quick, campaign, made, tmp_path):
    table, _ = tool_files(tmp_path, made, {f"p-{n:02}": (1, 2, 4, 3) for n in range(5)})
    lines = table.read_text().split("\n")
    cells = [line.split("\t") for line in lines]
    cells[1][0] = "p-99"
    cells[2] = cells[2][:6]
    cells[3][4] = cells[3][3]
    cells.insert(5, cells[4])
    table.write_text("\n".join("\t".join(row) for row in cells))
    done = brought(quick, campaign, table)
    assert done.stored == 2
    assert reasons(done) == [
        (2, "the order in which the answers were shown is not known: give the tool's input_file.json as well"),
        (3, "6 columns where the head has 7"),
        (4, "the columns do not hold the answers that were shown, each once"),
        (6, "this expert ranked this prompt in output_result.tsv:5 already"),
    ]


def test_answers_over_several_lines_keep_the_count_of_lines(quick, campaign, made, tmp_path):
    table, _ = tool_files(tmp_path, made, {"p-00": (1, 2, 3, 4), "p-01": (1, 2, 3, 4)})
    lines = table.read_text().split("\n")
    lines.insert(1, '"x\nx"\ty\t[]\ta\tb\tc\td')
    table.write_text("\n".join(lines))
    done = brought(quick, campaign, table)
    assert done.stored == 2
    assert [row.line for row in done.refused] == [2]


# Argilla


def argilla_record(prompt_id, value, user=LI, **more):
    texts = {f"response_{k}": text for k, text in enumerate(TEXTS)}
    return {
        "id": prompt_id,
        "fields": {"prompt": "…", **texts},
        "metadata": {},
        "responses": {"ranking": [{"value": value, "user_id": user}]},
        **more,
    }


TEXTS = ["不知道", "多休息，多喝水。", "建议做血常规检查。", "建议做血常规和胸片，请问有没有发热、咳痰？"]
ORDER = ["response_2", "response_0", "response_3", "response_1"]


def written(path, rows, indent=None):
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=indent), "utf-8")
    return path


def test_argilla_in_all_its_shapes(quick, campaign, tmp_path):
    tied = [{"value": name, "rank": rank} for name, rank in zip(ORDER, (1, 2, 2, 4), strict=True)]
    by_user = {"responses": [{"user_id": LI, "status": "submitted", "values": {"ranking": {"value": tied}}}]}
    columns = {"value": ORDER, "rank": [1, 2, 2, 4]}
    rows = [
        argilla_record("p-00", ORDER),
        argilla_record("p-01", tied),
        argilla_record("p-02", None, **by_user),
        argilla_record("elsewhere", columns, metadata={"prompt_id": "p-03"}),
        argilla_record("p-04", [f"o-p-04-{k}" for k in (3, 2, 1, 0)]),
        argilla_record("nowhere", ORDER, fields={"prompt": "医生，我咳嗽6天了，需要做什么检查？"}
                       | {f"response_{k}": text for k, text in enumerate(TEXTS)}),
    ]  # fmt: skip
    done = brought(quick, campaign, written(tmp_path / "argilla.json", rows), terms=Terms())
    assert done.refused == []
    found = stored(quick, campaign)
    strict = [[2], [0], [3], [1]]
    loose = [[2], [0, 3], [1]]
    wanted = {"p-00": strict, "p-01": loose, "p-02": loose, "p-03": loose, "p-04": [[3], [2], [1], [0]], "p-05": strict}
    assert found == {
        (prompt, LI): [sorted(f"o-{prompt}-{k}" for k in tier) for tier in tiers] for prompt, tiers in wanted.items()
    }


def test_argillas_records_in_columns(quick, campaign, tmp_path):
    row = {
        "id": "p-00",
        "prompt": "…",
        **{f"response_{k}": text for k, text in enumerate(TEXTS)},
        "ranking.responses": [ORDER, ORDER[::-1]],
        "ranking.responses.users": [LI, "王医生"],
        "ranking.responses.status": ["submitted", "draft"],
        "ranking.suggestion": None,
    }
    done = brought(quick, campaign, written(tmp_path / "a.json", [row]), terms=Terms())
    assert stored(quick, campaign) == {("p-00", LI): [[f"o-p-00-{k}"] for k in (2, 0, 3, 1)]}
    assert reasons(done) == [(1, "this answer is draft, not submitted")]


def test_what_is_wrong_with_argillas_records_is_said_by_line(quick, campaign, tmp_path):
    draft = [{"user_id": LI, "status": "draft", "values": {"ranking": {"value": ORDER}}}]
    rows = [
        argilla_record("p-00", ORDER[:3]),
        argilla_record("p-01", [*ORDER[:3], ORDER[2]]),
        argilla_record("p-02", [*ORDER[:3], "response_9"]),
        argilla_record("p-77", ORDER),
        argilla_record("p-04", ORDER, user="9e2c"),
        argilla_record("p-05", None, responses=draft),
        argilla_record("p-06", [{"value": name, "rank": None} for name in ORDER]),
        argilla_record("p-07", ORDER, responses={}),
        argilla_record("p-08", ORDER),
    ]
    path = tmp_path / "argilla.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + '\n{"id": NaN}\n')
    done = brought(quick, campaign, path, terms=Terms())
    assert done.stored == 1
    assert reasons(done) == [
        (1, "only 3 of the 4 answers are ranked"),
        (2, "an answer is ranked twice"),
        (3, "1 of the 4 ranked answers are not of this prompt"),
        (4, "no prompt of this campaign has this id or these words"),
        (5, "who ranked this is no expert here: name her with --expert or --as"),
        (6, "this answer is draft, not submitted"),
        (7, "an answer without a rank"),
        (8, "nobody has answered here"),
        (10, "the number NaN is not JSON"),
    ]
    assert brought(quick, campaign, path, terms=Terms(experts={"9e2c": "王医生"})).stored == 1


def test_an_array_over_lines_is_counted_in_lines_and_may_break_off(quick, campaign, tmp_path):
    whole = written(tmp_path / "a.json", [argilla_record("p-00", ORDER), argilla_record("p-91", ORDER)], indent=1)
    lines = whole.read_text().split("\n")
    second = lines.index(" {", 2) + 1
    assert reasons(brought(quick, campaign, whole))[0][0] == second
    whole.write_text("\n".join(lines[: second + 3]))
    assert reasons(brought(quick, campaign, whole)) == [
        (second, "here the JSON breaks off: nothing behind it was read")
    ]


# Label Studio


def studio_task(prompt_id, ranker, **more):
    items = [{"id": f"a{k}", "body": text} for k, text in enumerate(TEXTS)]
    result = [{"from_name": "rank", "to_name": "answers", "type": "ranker", "value": {"ranker": ranker}}]
    annotation = {"id": 1, "completed_by": {"email": "li@example.org"}, "result": result, "lead_time": 12.5, **more}
    return {"id": 7, "data": {"prompt_id": prompt_id, "items": items}, "annotations": [annotation], "predictions": []}


def test_label_studio_orders_and_buckets(quick, campaign, tmp_path):
    rows = [
        studio_task("p-00", {"rank": ["a3", "a1", "a0", "a2"]}),
        studio_task("p-01", {"tier 10": ["a0"], "tier 2": ["a3", "a1"], "tier 9": ["a2"], "_": []}),
        studio_task("p-02", {"rank": ["a3", "a1", "a0"]}),
        studio_task("p-03", {"good": ["a3", "a1"], "bad": ["a0", "a2"]}),
        studio_task("p-04", {"tier 1": ["a3", "a1"], "tier 2": ["a0"], "_": ["a2"]}),
        studio_task("p-05", {"rank": ["a3", "a1", "a0", "a2"]}, was_cancelled=True),
        studio_task("p-06", {"rank": ["a3", "a1", "a0", "a2"]}, result=[]),
    ]
    terms = Terms(experts={"li@example.org": LI})
    done = brought(quick, campaign, written(tmp_path / "project.json", rows), terms=terms)
    assert stored(quick, campaign) == {
        ("p-00", LI): [[f"o-p-00-{k}"] for k in (3, 1, 0, 2)],
        ("p-01", LI): [["o-p-01-1", "o-p-01-3"], ["o-p-01-2"], ["o-p-01-0"]],
    }
    assert [reason for _, reason in reasons(done)] == [
        "only 3 of the 4 answers are ranked",
        "buckets without a number in their name have no order",
        "answers were left unsorted",
        "this task was skipped there",
        "there is no ranking in this answer",
    ]
    with quick.read() as session:
        assert set(session.scalars(select(Submission.seconds))) == {12.5}


def test_a_project_of_our_own_comes_back_from_label_studios_export(quick, campaign, made, tmp_path):
    """As `annotation/label_studio` sends it: opaque labels, boards with columns, the dialogue as its turns."""
    from annotation.label_studio.interface import bucket, task_data

    rows = []
    for prompt in made.prompts(2):
        answers = [(f"label-{k}", text) for k, text in enumerate(TEXTS)]
        data = task_data("key", prompt.messages, prompt.facts, answers, "zh")
        board = {"_": [], bucket("overall", 1): ["label-3"], bucket("overall", 3): ["label-0", "label-2"]}
        board |= {bucket("overall", 4): ["label-1"], bucket("overall", 2): []}
        result = [{"from_name": "overall", "to_name": "cards_overall", "type": "ranker", "value": {"ranker": board}}]
        rows.append({"id": 1, "data": data, "annotations": [{"completed_by": 3, "result": result, "lead_time": 4}]})
    done = brought(quick, campaign, written(tmp_path / "ours.json", rows))
    assert done.refused == []
    assert stored(quick, campaign) == {
        (f"p-{n:02}", LI): [[f"o-p-{n:02}-3"], [f"o-p-{n:02}-0", f"o-p-{n:02}-2"], [f"o-p-{n:02}-1"]] for n in (0, 1)
    }


# All of them


def test_who_has_answered_here_is_not_overruled(quick, campaign, tmp_path):
    with quick.write() as session:
        mine = session.scalars(select(Assignment).order_by(Assignment.position)).first()
        order = [[label] for label, _ in mine.shown]
        submit(
            session,
            assignment_id=mine.id,
            expert_id=mine.expert_id,
            decision=Decision(orders={"overall": order}),
            key="mine",
            seconds=1.0,
        )
    before = stored(quick, campaign)
    path = written(tmp_path / "a.json", [argilla_record("p-00", ORDER, user="王医生")])
    assert reasons(brought(quick, campaign, path, terms=Terms())) == [
        (1, "this expert has answered this prompt here already")
    ]
    assert stored(quick, campaign) == before


def test_an_assignment_that_waits_is_done_by_the_import(quick, campaign, tmp_path):
    path = written(tmp_path / "a.json", [argilla_record("p-03", ORDER, user="王医生")])
    assert brought(quick, campaign, path, terms=Terms()).stored == 1
    with quick.read() as session:
        assert session.scalar(select(func.count()).select_from(Assignment)) == 24
        assert session.scalar(select(func.count()).where(Assignment.completed_at.is_not(None))) == 1
        assert session.execute(select(Queue.done, Queue.total)).all() == [(1, 24)]


def test_simulated_rankings_stay_simulated(quick, campaign, tmp_path):
    with quick.write() as session:
        simulated = add_simulated_experts(session)[0].name
    row = argilla_record("p-00", ORDER, metadata={"simulated": True})
    path = written(tmp_path / "a.json", [row])
    assert reasons(brought(quick, campaign, path)) == [(1, "a simulated ranking is not a real expert's")]
    done = brought(quick, campaign, path, terms=Terms(expert=simulated))
    assert (done.stored, done.simulated) == (1, 1)
    with quick.read() as session:
        (judgement,) = [j for task in judged_tasks(session, session.merge(campaign)) for j in task.judgements]
        assert judgement.simulated
        assert judgement.origin == "argilla a.json:1"


def test_a_campaign_that_asks_for_more_says_so(quick, made, tmp_path):
    with quick.write() as session:
        made.person(session)
        asked = made.campaign(session, name="三", experts=[LI], overlap=1, dimensions=["overall", "safety"])
    path = written(tmp_path / "a.json", [argilla_record("p-00", ORDER)])
    assert reasons(brought(quick, asked, path)) == [(1, "this campaign asks for an order in: overall, safety")]
    both = {name: [{"value": ORDER, "user_id": LI}] for name in ("overall", "safety")}
    path = written(tmp_path / "b.json", [argilla_record("p-00", None, responses=both)])
    assert brought(quick, asked, path).stored == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats(allow_nan=False) | st.sampled_from("ab1"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rank", "value", "ranker", "user_id", "status", "id"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_whatever_stands_where_something_else_should_is_read_or_refused(data):
    """No shape of a record breaks a reader off: what comes behind it is read as well."""

    def any_of(*usual):
        return data.draw(st.sampled_from(usual) | ANYTHING)

    answer = {"user_id": any_of("u"), "status": any_of("submitted"), "value": any_of(["a", "b"])}
    by_user = {"user_id": any_of("u"), "status": any_of("submitted"), "values": any_of({"r": answer})}
    records = [
        {"fields": {"prompt": any_of("q")}, "metadata": any_of({}), "responses": any_of({"r": [answer]}, [by_user])},
        {"prompt": "q", "r.responses": any_of(["a"]), "r.responses.users": any_of(["u"]),
         "r.responses.status": any_of(["submitted"])},
        argilla_record("p-00", ORDER),
    ]  # fmt: skip
    *_, last = argilla.read_records(json.dumps(records))
    assert last.prompt_id == "p-00"
    part = {"from_name": any_of("r"), "value": any_of({"ranker": any_of({"a": ["1"]}, {"1": ["a"], "_": []})})}
    note = {"result": any_of([part]), "completed_by": any_of(1, {"id": 1}), "lead_time": any_of(3)}
    tasks = [
        {"data": {"prompt": any_of("q"), "items": any_of([{"id": "a", "body": "b"}])}, "annotations": any_of([note])},
        {"data": {"prompt_id": "p-00"}, "annotations": [{"result": [{"value": {"ranker": {"a": ["1"]}}}]}]},
    ]
    *_, last = label_studio_json.read_tasks(json.dumps(tasks))
    assert last.prompt_id == "p-00"


def test_other_files_are_no_rankings(quick, campaign, tmp_path):
    path = written(tmp_path / "a.json", [{"prompt": "x"}])
    with pytest.raises(ZhongjingError, match="no tool that is known"):
        brought(quick, campaign, path)
    (tmp_path / "b.tsv").write_bytes(b"id\tquery\thistory\trank1\n\xff\xff")
    with pytest.raises(ZhongjingError, match="neither UTF-8"):
        brought(quick, campaign, tmp_path / "b.tsv")
    (tmp_path / "empty.json").write_bytes(b"\xef\xbb\xbf\r\n")
    with pytest.raises(ZhongjingError, match="no tool that is known"):
        brought(quick, campaign, tmp_path / "empty.json")
    path = written(tmp_path / "c.json", {"1": {"query": "?", "history": [], "response_0": "x"}})
    with pytest.raises(InvalidError, match="none of these files"):
        brought(quick, campaign, path)


def test_a_closed_campaign_takes_nothing(quick, campaign, tmp_path):
    from annotation.campaigns.campaigns import close_campaign

    with quick.write() as session:
        close_campaign(session, session.merge(campaign))
    path = written(tmp_path / "a.json", [argilla_record("p-00", ORDER)])
    with pytest.raises(ConflictError, match="closed"), quick.write() as session:
        from annotation.campaigns.campaigns import find_campaign

        import_rankings(session, find_campaign(session), [path], TERMS)
