"""What recipes are made of: typed options with a line of help each, and the parts that several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Precision = Literal["auto", "float32", "bf16"]
OpenShare = Annotated[float, Meta(gt=0, lt=1)]


def hint(text: str) -> Meta:
    """The line of help of an option."""
    return Meta(description=text)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options by name; an unknown name is refused."""


class Tiny(Options, kw_only=True, frozen=True):
    """How to build a tiny stand-in where no real model is at hand."""

    corpus: Annotated[Path, hint("folder of a data set version: its dialogues train tokenizer and model")]
    vocabulary: Annotated[int, Meta(ge=400, description="entries of the tokenizer")] = 2400
    hidden: Annotated[int, Meta(ge=16, multiple_of=16, description="width of the model")] = 128
    layers: Annotated[Count, hint("depth of the model")] = 3
    steps: Annotated[Natural, hint("training steps on the doctors' turns")] = 240
    seed: Annotated[Natural, hint("seed of weights and of the order of the data")] = 0


class Model(Options, kw_only=True, frozen=True):
    """Where a model is. Without a `path`, or with nothing there yet, `tiny` says how to build a stand-in."""

    path: Annotated[Path | None, hint("folder of a model as transformers writes it")] = None
    tiny: Annotated[Tiny | None, hint("build a tiny stand-in (at `path`, or beside the output)")] = None
    chat_template: Annotated[Path | None, hint("Jinja file, for a tokenizer that has no chat template")] = None

    def __post_init__(self) -> None:
        if self.path is None and self.tiny is None:
            raise ValueError("a model needs `path` or `tiny`")


class Lora(Options, kw_only=True, frozen=True):
    """Low-rank adapters (arXiv 2106.09685) on every linear layer of the trunk."""

    rank: Annotated[Count, hint("rank r of the adapters")] = 32
    alpha: Annotated[Positive, hint("scale: adapters count alpha / r")] = 64.0


class RunOptions(Options, kw_only=True, frozen=True):
    """How a training run is kept and shown; none of it changes the result."""

    output: Annotated[Path, hint("folder to write")]
    checkpoint_every: Annotated[Count, hint("steps (of PPO: iterations) between checkpoints")] = 20
    log_to: Annotated[tuple[Literal["tensorboard", "wandb"], ...], hint("who is told of every step")] = ("tensorboard",)
    show_texts: Annotated[bool, hint("let report and log quote answers; they may hold patients' words")] = False


def parameters(recipe: Options) -> dict[str, Any]:
    """The options of a recipe for a manifest: all but the places of files and those of `RunOptions`, which say
    nothing about the result."""
    return {
        name: _plain(getattr(recipe, name))
        for name in recipe.__struct_fields__
        if name not in RunOptions.__struct_fields__ and not _is_place(getattr(recipe, name))
    }


def flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested options under names with dots."""
    result: dict[str, Any] = {}
    for name, value in options.items():
        result |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return result


def _is_place(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, list) and any(isinstance(item, Path) for item in value))


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return parameters(value)
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
