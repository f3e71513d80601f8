"""The nine abilities, what each asks for, and how a verdict on all of them is written and read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json

OVERALL = "overall"
FIRST, SECOND, EVEN = "甲", "乙", "平"
_SIGNS = {FIRST: 1, SECOND: -1, EVEN: 0}
_OBJECT = re.compile(r"\{[^{}]*\}")

Outcome = dict[str, int]


class Ability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the nine: its key, its Chinese name, and what makes an answer better or worse in it."""

    key: str
    zh: str
    better: str
    worse: str


class DimensionOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dimension and its abilities."""

    key: str
    zh: str
    abilities: list[Ability]


class Rubric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rubric file. Dimensions stand in order of priority."""

    version: str
    dimensions: list[DimensionOf]
    rules: list[str]
    instruction: str
    reply: str
    again: str

    @property
    def abilities(self) -> dict[str, Ability]:
        """Abilities by axis, `dimension.ability`."""
        return {f"{part.key}.{ability.key}": ability for part in self.dimensions for ability in part.abilities}

    @property
    def axes(self) -> dict[str, str]:
        """All that verdicts are given in, with its Chinese name: overall, the dimensions, the abilities."""
        named = {OVERALL: "总体"} | {part.key: part.zh for part in self.dimensions}
        return named | {
            f"{part.key}.{ability.key}": f"{part.zh}·{ability.zh}"
            for part in self.dimensions
            for ability in part.abilities
        }

    def text(self) -> str:
        """The rubric as the judge reads it."""
        lines = [self.instruction, "", "评判标准："]
        for part in self.dimensions:
            lines += [f"- {ability.zh}（{ability.key}）" + _both(ability) for ability in part.abilities]
        lines += ["", "规则：", *(f"- {rule}" for rule in self.rules), ""]
        return "\n".join([*lines, self.reply.format(keys="、".join(self._keys()))])

    def read(self, reply: str) -> Outcome:
        """The verdict on every ability in a judge's reply: 1 where the first answer is better, -1 the second, 0 even.

        Raises ValueError, naming the fault in Chinese, unless the last object in it has the nine keys and values.
        """
        found = _OBJECT.findall(reply)
        if not found:
            raise ValueError("没有 JSON 对象")
        try:
            content = parse_json(found[-1])
        except BadJsonError as error:
            raise ValueError("不是合法的 JSON") from error
        return self._checked(content)

    def whole(self, abilities: Mapping[str, int]) -> Outcome:
        """An outcome on abilities with those of dimensions and overall.

        A dimension goes to who is better in more of its abilities; overall to who is better in the first dimension
        that is not even, as the written rule of the experts says.
        """
        outcome = dict(abilities)
        for part in self.dimensions:
            total = sum(abilities[f"{part.key}.{ability.key}"] for ability in part.abilities)
            outcome[part.key] = (total > 0) - (total < 0)
        outcome[OVERALL] = next((outcome[part.key] for part in self.dimensions if outcome[part.key]), 0)
        return outcome

    def schema(self) -> dict[str, Any]:
        """The reply as a JSON schema, for servers that can be held to one."""
        keys = self._keys()
        values = {"type": "string", "enum": [FIRST, SECOND, EVEN]}
        properties = dict.fromkeys(keys, values)
        return {"type": "object", "properties": properties, "required": keys, "additionalProperties": False}

    def _keys(self) -> list[str]:
        return [ability.key for ability in self.abilities.values()]

    def _checked(self, content: Mapping[str, Any]) -> Outcome:
        keys = self._keys()
        missing = [key for key in keys if key not in content]
        if missing:
            raise ValueError(f"缺少 {'、'.join(missing)}")
        if len(content) > len(keys):
            raise ValueError("有多余的键")
        wrong = [key for key in keys if not isinstance(content[key], str) or content[key] not in _SIGNS]
        if wrong:
            raise ValueError(f"{'、'.join(wrong)} 的值不是“甲”“乙”或“平”")
        return {axis: _SIGNS[content[ability.key]] for axis, ability in self.abilities.items()}


def read_rubric(path: Path | None = None) -> Rubric:
    """The rubric of a file, or the one that is shipped."""
    if path is None:
        return msgspec.json.decode(files("training.evaluation").joinpath("data/rubric.json").read_bytes(), type=Rubric)
    try:
        rubric = msgspec.json.decode(existing_file(path).read_bytes(), type=Rubric)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ZhongjingError(f"this is no rubric: {error}", where=path) from error
    if len({ability.key for ability in rubric.abilities.values()}) < len(rubric.abilities) or not rubric.abilities:
        raise ZhongjingError("a rubric needs abilities, each of another key", where=path)
    return rubric


def _both(ability: Ability) -> str:
    return f"：好——{ability.better}差——{ability.worse}"
