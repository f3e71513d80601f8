"""What `zhongjing evaluate run` is told: models, test sets, judges, and how their verdicts are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from foundation.endpoint import Endpoint
from training.evaluation.shares import Correction
from training.recipes.options import Count, Natural, NotNegative, Options, Share, hint

Kind = Literal["multi-turn", "single-turn", "safety"]
Name = Annotated[str, Meta(min_length=1, max_length=60)]


class Contestant(Options, kw_only=True, frozen=True):
    """A model that is compared: a folder, an endpoint, or answers that somebody else drew."""

    name: Annotated[Name, hint("what it is called in the results")]
    path: Annotated[Path | None, hint("folder of a model as transformers writes it")] = None
    chat_template: Annotated[Path | None, hint("Jinja file, for a folder without a chat template")] = None
    endpoint: Annotated[Endpoint | None, hint("or a server")] = None
    answers: Annotated[Path | None, hint("or a file of answers: outputs.jsonl, or others' JSON")] = None
    without: Annotated[str | None, hint("for an ablation: what this checkpoint was trained without")] = None
    temperature: Annotated[NotNegative, hint("0 is greedy")] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1, description="nucleus that is drawn from")] = 1.0
    max_new_tokens: Annotated[Count, hint("an answer is cut here")] = 512

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.path, self.endpoint, self.answers)) != 1:
            raise ValueError(f"the model {self.name} needs one of `path`, `endpoint` and `answers`")


class TestSet(Options, kw_only=True, frozen=True):
    """Dialogues whose patients are answered."""

    name: Annotated[Name, hint("what it is called in the results")]
    path: Annotated[Path, hint("raw file of any known format, set or version folder, or prompts.jsonl")]
    kind: Annotated[Kind, hint("multi-turn: every asking turn; the others: the first question")] = "multi-turn"
    count: Annotated[Count | None, hint("draw so many dialogues; null: all")] = None


class LlmJudge(Options, kw_only=True, frozen=True, tag_field="kind", tag="llm"):
    """A language model that holds two answers against the rubric, in both orders."""

    name: Name = "llm"
    endpoint: Annotated[Endpoint, hint("who judges")]
    asks_again: Annotated[Natural, hint("how often a reply that is no verdict is asked for again")] = 2
    max_tokens: Annotated[Count, hint("of one verdict")] = 400
    longest_answer: Annotated[Count, hint("characters of an answer that the judge is shown")] = 4_000
    json_schema: Annotated[bool, hint("hold the server to the form of a verdict, where it can be held")] = False


class RewardJudge(Options, kw_only=True, frozen=True, tag_field="kind", tag="reward"):
    """A reward model: the higher reward wins."""

    name: Name = "reward"
    path: Annotated[Path, hint("folder written by `train reward`")]
    tie: Annotated[NotNegative, hint("rewards closer than this (in standard deviations) tie")] = 0.1


class GraphJudge(Options, kw_only=True, frozen=True, tag_field="kind", tag="graph"):
    """The knowledge graph on accuracy: fewer contradicted statements win."""

    name: Name = "graph"
    path: Annotated[Path, hint("folder written by `kg build`")]


class ExpertJudge(Options, kw_only=True, frozen=True, tag_field="kind", tag="experts"):
    """People on the ranking page, blind."""

    name: Name = "experts"
    release: Annotated[Path | None, hint("folder of `zhongjing export`; null: not yet ranked")] = None
    count: Annotated[Count | None, hint("rank so many prompts of each test set; null: all")] = None


Judge = LlmJudge | RewardJudge | GraphJudge | ExpertJudge


class Measures(Options, kw_only=True, frozen=True):
    """What is measured without a judge."""

    overlap: Annotated[bool, hint("BLEU and ROUGE against the doctor's real reply")] = True
    encoder: Annotated[Path | None, hint("folder of a BERT-like encoder, for BERTScore")] = None
    encoder_layer: Annotated[Natural | None, hint("layer whose states are compared; null: the last")] = None


class Contamination(Options, kw_only=True, frozen=True):
    """Whether test dialogues were trained on."""

    versions: Annotated[list[Path], Meta(min_length=1, description="frozen versions that the models were trained on")]
    threshold: Annotated[Share, hint("similarity from which a dialogue counts as the same")] = 0.5
    then: Annotated[Literal["refuse", "flag", "drop"], hint("what to do with what is found")] = "refuse"


class EvaluationRecipe(Options, kw_only=True, frozen=True):
    """Models on test sets before judges."""

    output: Annotated[Path, hint("folder to write")]
    models: Annotated[list[Contestant], Meta(min_length=1, description="who is compared")]
    tests: Annotated[list[TestSet], Meta(min_length=1, description="on what")]
    judges: Annotated[tuple[Judge, ...], hint("by whom; none: automatic measures alone")] = ()
    rubric: Annotated[Path | None, hint("rubric file; null: the nine abilities as shipped")] = None
    baselines: Annotated[tuple[str, ...], hint("names of models that all others meet; none: round robin")] = ()
    measures: Annotated[Measures, hint("what is measured without a judge")] = Measures()
    contamination: Annotated[Contamination | None, hint("check the test sets against training data")] = None
    published: Annotated[Path | None, hint("a published win/tie/loss table (CSV, YAML) to check")] = None
    correction: Annotated[Correction, hint("for many comparisons: holm, or bh")] = "holm"
    cache: Annotated[Path | None, hint("folder of answers and verdicts; null: OUTPUT.cache")] = None
    batch_size: Annotated[Count, hint("prompts that a local model answers at once")] = 16
    max_prompt_tokens: Annotated[Count, hint("longer prompts lose their oldest turns")] = 2048
    longest_answer: Annotated[Count, hint("characters after which any answer is cut, and counted")] = 8_000
    examples: Annotated[Natural, hint("most lopsided and most disputed pairs in the report, each")] = 5
    show_texts: Annotated[bool, hint("let the report quote; it may hold patients' words")] = False
    seed: Annotated[Natural, hint("of draws and bootstrap samples")] = 0

    def __post_init__(self) -> None:
        for what, names in (
            ("models", [model.name for model in self.models]),
            ("test sets", [test.name for test in self.tests]),
            ("judges", [judge.name for judge in self.judges]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} have the same name")
        if unknown := set(self.baselines) - {model.name for model in self.models}:
            raise ValueError(f"these baselines are no models: {', '.join(sorted(unknown))}")
        if self.judges and len(self.models) < 2:
            raise ValueError("judges compare: at least two models are needed")
        if any(model.without for model in self.models) and len(self.baselines) != 1:
            raise ValueError("an ablation needs one baseline: the model without nothing left out")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Who meets whom: every model each baseline, or everybody everybody, in the order of the recipe."""
        names = [model.name for model in self.models]
        if not self.baselines:
            return [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
        pairs = [(one, baseline) for one in names for baseline in self.baselines if one != baseline]
        return [pair for place, pair in enumerate(pairs) if pair[::-1] not in pairs[:place]]

    @property
    def cache_folder(self) -> Path:
        """Where answers and verdicts are kept between runs."""
        return self.cache or self.output.with_name(f"{self.output.name}.cache")

    def told(self) -> dict[str, Any]:
        """The options as a manifest holds them: files by their names alone, where the output goes left out."""
        options: dict[str, Any] = msgspec.to_builtins(self, enc_hook=lambda path: path.name)
        return {name: value for name, value in options.items() if name not in ("output", "cache")}
