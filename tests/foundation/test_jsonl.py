import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import ZhongjingError
from foundation.jsonl import BadJsonError, dump_json, parse_json, read_records, write_records

SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | SAFE_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(SAFE_TEXT, inner),
)


@given(JSON)
def test_what_is_written_comes_back(value: object) -> None:
    assert parse_json(dump_json(value)) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": NaN}', "NaN"),
        ("[Infinity]", "Infinity"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": ["\\ud800"]}', "surrogate"),
        ('{"a": ' + "9" * 5_000 + "}", "5,000 digits"),
        ("[" * 100_000, "nested"),
        ('{"a": "half', "invalid JSON"),
        ("", "invalid JSON"),
    ],
)
def test_what_is_not_json_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadJsonError, match=reason):
        parse_json(text)


def test_the_message_never_quotes_the_text() -> None:
    with pytest.raises(BadJsonError) as caught:
        parse_json('{"patient": "我叫王小明')
    assert "王小明" not in str(caught.value)


class Row(msgspec.Struct):
    name: str


def test_records_round_trip_and_a_wrong_line_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert write_records(path, [Row("一"), Row("二")]) == 2
    assert list(read_records(path, Row)) == [Row("一"), Row("二")]
    path.write_text(json.dumps({"name": "一"}) + "\n" + json.dumps({"name": 2}) + "\n")
    with pytest.raises(ZhongjingError, match=r"rows\.jsonl:2"):
        list(read_records(path, Row))
