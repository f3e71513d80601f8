"""From a YAML file to a recipe, strictly: whatever is unknown, missing, doubled or out of range is an error.

A path in a recipe starts at the recipe's own folder, so that a recipe and its data move together.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from foundation.errors import ZhongjingError
from foundation.files import existing_file

Recipe = TypeVar("Recipe", bound=msgspec.Struct)


def read_recipe(path: Path, kind: type[Recipe]) -> Recipe:
    """The recipe in a YAML file. Anything unknown, missing or out of range is an error naming key and file."""
    try:
        content = yaml.load(existing_file(path).read_text("utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except UnicodeDecodeError as error:
        raise ZhongjingError("a recipe must be UTF-8", where=path) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ZhongjingError(f"not valid YAML: {error.problem}", where=f"{path}:{line}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ZhongjingError("not valid YAML", where=path) from error
    try:
        return msgspec.convert(content, kind, dec_hook=lambda _, value: _path(path.parent, value))
    except msgspec.ValidationError as error:
        hint = f"options of {kind.__name__}: {', '.join(kind.__struct_fields__)}"
        raise ZhongjingError(f"{error}", where=path, hint=hint) from error


def _path(folder: Path, value: Any) -> Path:
    if not isinstance(value, str) or not value or "\x00" in value:
        raise ValueError("expected a path")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("expected a path of whole characters")
    return folder / value


class _Loader(yaml.SafeLoader):
    """YAML without its two traps: `1e-5` is a number, and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} occurs twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """A float; NaN and infinities are refused."""
        number = float(super().construct_yaml_float(node))
        if not math.isfinite(number):
            raise yaml.constructor.ConstructorError(None, None, "NaN and infinities are no numbers", node.start_mark)
        return number


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
