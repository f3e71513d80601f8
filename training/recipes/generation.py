"""`train generate`: who answers, and how answers are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from foundation.endpoint import Endpoint
from training.recipes.options import Count, Model, Natural, NotNegative, Options, Share, Tiny, hint

REFERENCE = "reference-doctor"


class Answerer(Model, kw_only=True, frozen=True):
    """A model that answers, here or behind an OpenAI-compatible endpoint, and how."""

    endpoint: Annotated[
        Endpoint | None, hint("who answers instead of a model here: base_url, model, key_variable …")
    ] = None
    name: Annotated[str, Meta(min_length=1, description="name written into `outputs.jsonl`")]
    answers: Annotated[Count, hint("answers per prompt")] = 1
    temperature: Annotated[NotNegative, hint("0 is greedy")] = 0.9
    top_p: Annotated[float, Meta(gt=0, le=1, description="nucleus of the distribution that is drawn from")] = 1.0
    max_new_tokens: Annotated[Count, hint("an answer is cut here")] = 256

    def __post_init__(self) -> None:
        if self.endpoint is None:
            super().__post_init__()
        elif self.path or self.tiny:
            raise ValueError("a model is either here (`path`, `tiny`) or behind an `endpoint`")
        if self.temperature == 0 and self.answers > 1:
            raise ValueError("temperature 0 always gives the same answer: ask for one, or raise the temperature")
        if self.name == REFERENCE:
            raise ValueError(f"the name {REFERENCE} belongs to the doctor's real reply")


class GenerateRecipe(Options, kw_only=True, frozen=True):
    """K answers per prompt: the `answers` of all models, and the doctor's own reply where asked for."""

    prompts: Annotated[Path, hint("prompts.jsonl")]
    output: Annotated[Path, hint("outputs.jsonl to write")]
    models: Annotated[list[Answerer], Meta(min_length=1, description="who answers")]
    include_reference: Annotated[bool, hint(f"add the doctor's real reply as {REFERENCE}")] = False
    redraws: Annotated[Natural, hint("how often an empty or near-identical answer is drawn again")] = 3
    similarity: Annotated[Share, hint("answers at least this alike (0 to 1) are near-identical")] = 0.95
    batch_size: Annotated[Count, hint("prompts answered at once")] = 32
    max_prompt_tokens: Annotated[Count, hint("longer prompts lose their oldest turns, but for an endpoint")] = 1024
    seed: Annotated[Natural, hint("seed of the draws")] = 0

    def __post_init__(self) -> None:
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError("two models have the same name")
        tiny: dict[Path | None, Tiny] = {}
        for model in self.models:
            if model.tiny is not None and tiny.setdefault(model.path, model.tiny) != model.tiny:
                raise ValueError("two different tiny stand-ins at one path")
