"""Recipes: one YAML file says everything about one run.

A relative path in a recipe starts at the recipe's own folder, so that a recipe and its data move together.
In a recipe made in Python a path means what it means anywhere in Python.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml
from msgspec import Meta

from foundation.errors import ZhongjingError
from foundation.files import existing_file

REFERENCE = "reference-doctor"

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Precision = Literal["auto", "float32", "bf16"]
OpenShare = Annotated[float, Meta(gt=0, lt=1)]


def _help(text: str) -> Meta:
    return Meta(description=text)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options by name; an unknown name is refused."""


class Tiny(Options, kw_only=True, frozen=True):
    """How to build a tiny stand-in where no real model is at hand."""

    corpus: Annotated[Path, _help("folder of a data set version: its dialogues train tokenizer and model")]
    vocabulary: Annotated[int, Meta(ge=400, description="entries of the tokenizer")] = 2400
    hidden: Annotated[int, Meta(ge=16, multiple_of=16, description="width of the model")] = 128
    layers: Annotated[Count, _help("depth of the model")] = 3
    steps: Annotated[Natural, _help("training steps on the doctors' turns")] = 240
    seed: Annotated[Natural, _help("seed of weights and of the order of the data")] = 0


class Model(Options, kw_only=True, frozen=True):
    """Where a model is. Without a `path`, or with nothing there yet, `tiny` says how to build a stand-in."""

    path: Annotated[Path | None, _help("folder of a model as transformers writes it")] = None
    tiny: Annotated[Tiny | None, _help("build a tiny stand-in (at `path`, or beside the output)")] = None
    chat_template: Annotated[Path | None, _help("Jinja file, for a tokenizer that has no chat template")] = None

    def __post_init__(self) -> None:
        if self.path is None and self.tiny is None:
            raise ValueError("a model needs `path` or `tiny`")


class Lora(Options, kw_only=True, frozen=True):
    """Low-rank adapters (arXiv 2106.09685) on every linear layer of the trunk."""

    rank: Annotated[Count, _help("rank r of the adapters")] = 32
    alpha: Annotated[Positive, _help("scale: adapters count alpha / r")] = 64.0


class RunOptions(Options, kw_only=True, frozen=True):
    """How a training run is kept and shown; none of it changes the result."""

    output: Annotated[Path, _help("folder to write")]
    checkpoint_every: Annotated[Count, _help("steps (of PPO: iterations) between checkpoints")] = 20
    log_to: Annotated[tuple[Literal["tensorboard", "wandb"], ...], _help("who is told of every step")] = (
        "tensorboard",
    )
    show_texts: Annotated[bool, _help("let report and log quote answers; they may hold patients' words")] = False


class Answerer(Model, kw_only=True, frozen=True):
    """A model that answers, and how."""

    name: Annotated[str, Meta(min_length=1, description="name written into `outputs.jsonl`")]
    answers: Annotated[Count, _help("answers per prompt")] = 1
    temperature: Annotated[NotNegative, _help("0 is greedy")] = 0.9
    top_p: Annotated[float, Meta(gt=0, le=1, description="nucleus of the distribution that is drawn from")] = 1.0
    max_new_tokens: Annotated[Count, _help("an answer is cut here")] = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature == 0 and self.answers > 1:
            raise ValueError("temperature 0 always gives the same answer: ask for one, or raise the temperature")
        if self.name == REFERENCE:
            raise ValueError(f"the name {REFERENCE} belongs to the doctor's real reply")


class GenerateRecipe(Options, kw_only=True, frozen=True):
    """K answers per prompt: the `answers` of all models, and the doctor's own reply where asked for."""

    prompts: Annotated[Path, _help("prompts.jsonl")]
    output: Annotated[Path, _help("outputs.jsonl to write")]
    models: Annotated[list[Answerer], Meta(min_length=1, description="who answers")]
    include_reference: Annotated[bool, _help(f"add the doctor's real reply as {REFERENCE}")] = False
    redraws: Annotated[Natural, _help("how often an empty or near-identical answer is drawn again")] = 3
    similarity: Annotated[Share, _help("answers at least this alike (0 to 1) are near-identical")] = 0.95
    batch_size: Annotated[Count, _help("prompts answered at once")] = 32
    max_prompt_tokens: Annotated[Count, _help("longer prompts lose their oldest turns")] = 1024
    seed: Annotated[Natural, _help("seed of the draws")] = 0

    def __post_init__(self) -> None:
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError("two models have the same name")
        tiny: dict[Path | None, Tiny] = {}
        for model in self.models:
            if model.tiny is not None and tiny.setdefault(model.path, model.tiny) != model.tiny:
                raise ValueError("two different tiny stand-ins at one path")


class RewardRecipe(RunOptions, kw_only=True, frozen=True):
    """A reward model from rankings or from pairs: all pairs of a prompt are one element of a batch.

    The defaults follow InstructGPT (arXiv 2203.02155, C.2: one epoch, batches of 64 prompts, 9e-6 for all weights) but
    for the learning rate, which is what adapters need.
    """

    rankings: Annotated[Path | None, _help("rankings.jsonl of a release")] = None
    preferences: Annotated[Path | None, _help("or pairs: preferences.jsonl, or others' in TRL's explicit form")] = None
    model: Annotated[Model, _help("the model to start from, best the one that was fine-tuned (SFT)")]
    lora: Annotated[Lora | None, _help("null trains all weights")] = Lora()
    loss: Annotated[Literal["pairs", "plackett-luce"], _help("of each pair, or of the whole order")] = "pairs"
    margin: Annotated[NotNegative, _help("a pair's scores should differ by this x the experts' margin")] = 0.0
    label_smoothing: Annotated[float, Meta(ge=0, lt=0.5, description="chance that a pair is the wrong way round")] = 0.0
    centring: Annotated[NotNegative, _help("weight of the squared sum of a pair's scores; TRL suggests 0.01")] = 0.0
    weight_by_agreement: Annotated[bool, _help("weigh a pair by (wins - losses) / judgements")] = False
    epochs: Annotated[Count, _help("passes over the training prompts; more than one overfits early")] = 1
    learning_rate: Annotated[Positive, _help("peak of the linear warm-up and decay; all weights: 9e-6")] = 1e-4
    warmup: Annotated[Share, _help("share of the steps that warm up")] = 0.1
    weight_decay: Annotated[NotNegative, _help("of AdamW")] = 0.0
    prompts_per_batch: Annotated[Count, _help("prompts per step over all processes, each with all its pairs")] = 64
    prompts_per_forward: Annotated[Count, _help("prompts encoded at once by a process; less needs less memory")] = 8
    max_tokens: Annotated[Count, _help("limit of prompt and answer; the oldest turns go first")] = 1024
    max_grad_norm: Annotated[Positive, _help("gradients are clipped to this norm")] = 1.0
    precision: Annotated[Precision, _help("auto: bf16 on a GPU that has it, else float32")] = "auto"
    gradient_checkpointing: Annotated[bool, _help("compute activations twice, to hold fewer of them")] = False
    attention: Annotated[Literal["sdpa", "flex"], _help("kernel; flex needs a GPU")] = "sdpa"
    normalise_on: Annotated[Literal["reference", "all"], _help("whose training answers get mean 0, deviation 1")] = (
        "reference"
    )
    leave_one_out: Annotated[bool, _help("train once more without each expert, to judge on that expert")] = False
    seed: Annotated[Natural, _help("seed of the head, the adapters and the order of prompts")] = 0

    def __post_init__(self) -> None:
        if (self.rankings is None) == (self.preferences is None):
            raise ValueError("a reward recipe needs either `rankings` or `preferences`")
        if self.loss == "plackett-luce" and (self.margin or self.label_smoothing):
            raise ValueError("`margin` and `label_smoothing` are of pairs; plackett-luce has neither")
        if self.leave_one_out and self.rankings is None:
            raise ValueError("`leave_one_out` needs `rankings`: pairs do not say who judged")


class Server(Options, kw_only=True, frozen=True):
    """A vLLM or other OpenAI-compatible server that answers for the policy. It is given the policy's adapter before
    every rollout (vLLM: --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True)."""

    url: Annotated[str, Meta(pattern="^https?://", description="its root, say http://127.0.0.1:8000/v1")]
    adapters: Annotated[Path, _help("folder for the adapters; the server sees it under the same path")]
    api_key_variable: Annotated[str | None, _help("environment variable that holds the key")] = None
    connections: Annotated[Count, _help("answers asked for at once")] = 32
    timeout: Annotated[Positive, _help("seconds to wait for one answer")] = 600.0


class PPORecipe(RunOptions, kw_only=True, frozen=True):
    """PPO against a reward model, after InstructGPT (arXiv 2203.02155) and the N implementation details
    of RLHF with PPO (Huang et al., 2023 and 2024), whose values are the defaults where there is no comment."""

    prompts: Annotated[Path, _help("prompts.jsonl")]
    model: Annotated[Model, _help("the policy to start from; it is also the reference")]
    reward_model: Annotated[Path, _help("folder written by `train reward`; shares the base where it was trained on it")]
    held_out: Annotated[OpenShare, _help("share of prompts kept for the evaluation, whole dialogues")] = 0.25
    samples: Annotated[Count, _help("answers per held-out prompt, before and after")] = 4

    checkpoint_every: Annotated[Count, _help("iterations between checkpoints")] = 5
    iterations: Annotated[Count, _help("rollouts, each followed by `epochs` of updates")] = 100
    episodes: Annotated[Count, _help("answers per rollout, over all processes")] = 64
    epochs: Annotated[Count, _help("passes over one rollout")] = 4
    minibatch: Annotated[Count, _help("answers per optimiser step, over all processes")] = 16
    rows_per_pass: Annotated[Count | None, _help("answers per forward pass: less memory, same result")] = None
    gradient_checkpointing: Annotated[bool, _help("compute activations twice: less memory, same result")] = False
    precision: Annotated[Precision, _help("auto: bf16 on a GPU that knows it")] = "auto"

    lora: Annotated[Lora | None, _help("adapters; without them the model is the reference. null trains all")] = Lora()
    value_adapter: Annotated[bool, _help("an adapter for the value function, too; false: a head on the policy")] = True
    value_start: Annotated[Literal["zero", "reward"], _help("value: 0 at first, or what the reward model says")] = (
        "zero"
    )
    learning_rate: Annotated[Positive, _help("of all that is trained; falls linearly to 0")] = 1e-4
    adam_epsilon: Annotated[Positive, _help("Adam's epsilon")] = 1e-5
    adam_epsilon_hat: Annotated[bool, _help("epsilon as TensorFlow's Adam takes it: gentler first steps")] = False
    max_grad_norm: Annotated[Positive, _help("gradients are clipped to this norm")] = 1.0
    ema: Annotated[OpenShare | None, _help("decay of the moving average that is kept as the policy; null: none")] = None

    temperature: Annotated[Positive, _help("of the rollout; logits are divided by it in training, too")] = 0.7
    max_new_tokens: Annotated[Count, _help("an answer is cut here")] = 256
    max_prompt_tokens: Annotated[Count, _help("longer prompts lose their oldest turns")] = 1024
    stop_token: Annotated[str | None, _help("an answer is cut after it, say 。; null: at the end of sequence")] = None
    missing_end_score: Annotated[float | None, _help("score of an answer that never ends; null: its own score")] = -1.0
    server: Annotated[Server | None, _help("who draws the answers; null: transformers, in this process")] = None

    kl_coefficient: Annotated[NotNegative, _help("weight of the per-token KL penalty")] = 0.05
    kl_target: Annotated[Positive | None, _help("KL per answer that the weight adapts to; null: fixed weight")] = None
    kl_horizon: Annotated[Positive, _help("answers over which the weight adapts")] = 10_000.0
    discount: Annotated[Share, _help("gamma")] = 1.0
    gae_lambda: Annotated[Share, _help("lambda of generalised advantage estimation")] = 0.95
    clip: Annotated[Positive, _help("clip range of the policy's probability ratio")] = 0.2
    value_clip: Annotated[Positive, _help("clip range of the value around its old one")] = 0.2
    value_coefficient: Annotated[NotNegative, _help("weight of the value loss")] = 0.1
    whiten_rewards: Annotated[bool, _help("scale per-token rewards to variance 1, keeping their mean")] = False
    whiten_advantages: Annotated[bool, _help("shift and scale advantages to mean 0, variance 1")] = True
    whiten_over: Annotated[Literal["rollout", "minibatch"], _help("what mean and variance are taken over")] = "rollout"
    ptx: Annotated[Path | None, _help("data set version whose doctors stay likely (PPO-ptx); null: none")] = None
    ptx_coefficient: Annotated[Positive, _help("weight of its mean negative log-likelihood per token")] = 27.8
    seed: Annotated[Natural, _help("seed of the split, the draws and the adapters")] = 0

    def __post_init__(self) -> None:
        if self.server and not self.lora:
            raise ValueError("a server is given adapters before every rollout: set `lora`, or leave `server` out")
        if self.value_start == "reward" and not (self.lora and self.value_adapter):
            raise ValueError("value_start: reward needs `lora` and `value_adapter: true`")


Recipe = TypeVar("Recipe", bound=Options)


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


def parameters(recipe: Options) -> dict[str, Any]:
    """The options of a recipe for a manifest: all but the places of files and those of `RunOptions`, which say
    nothing about the result."""
    return {
        name: _plain(getattr(recipe, name))
        for name in recipe.__struct_fields__
        if name not in RunOptions.__struct_fields__ and not isinstance(getattr(recipe, name), Path)
    }


def flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested options under names with dots."""
    result: dict[str, Any] = {}
    for name, value in options.items():
        result |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return parameters(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


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
