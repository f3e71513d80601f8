"""`train ppo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from training.recipes.options import (
    Count,
    Lora,
    Model,
    Natural,
    NotNegative,
    OpenShare,
    Options,
    Positive,
    Precision,
    RunOptions,
    Share,
    hint,
)


class Server(Options, kw_only=True, frozen=True):
    """A vLLM or other OpenAI-compatible server that answers for the policy. It is given the policy's adapter before
    every rollout (vLLM: --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True)."""

    url: Annotated[str, Meta(pattern="^https?://", description="its root, say http://127.0.0.1:8000/v1")]
    adapters: Annotated[Path, hint("folder for the adapters; the server sees it under the same path")]
    api_key_variable: Annotated[str | None, hint("environment variable that holds the key")] = None
    connections: Annotated[Count, hint("answers asked for at once")] = 32
    timeout: Annotated[Positive, hint("seconds to wait for one answer")] = 600.0


class PPORecipe(RunOptions, kw_only=True, frozen=True):
    """PPO against a reward model, after InstructGPT (arXiv 2203.02155) and the N implementation details
    of RLHF with PPO (Huang et al., 2023 and 2024), whose values are the defaults where there is no comment."""

    prompts: Annotated[Path, hint("prompts.jsonl")]
    model: Annotated[Model, hint("the policy to start from; it is also the reference")]
    reward_model: Annotated[Path, hint("folder written by `train reward`; shares the base where it was trained on it")]
    held_out: Annotated[OpenShare, hint("share of prompts kept for the evaluation, whole dialogues")] = 0.25
    samples: Annotated[Count, hint("answers per held-out prompt, before and after")] = 4

    checkpoint_every: Annotated[Count, hint("iterations between checkpoints")] = 5
    iterations: Annotated[Count, hint("rollouts, each followed by `epochs` of updates")] = 100
    episodes: Annotated[Count, hint("answers per rollout, over all processes")] = 64
    epochs: Annotated[Count, hint("passes over one rollout")] = 4
    minibatch: Annotated[Count, hint("answers per optimiser step, over all processes")] = 16
    rows_per_pass: Annotated[Count | None, hint("answers per forward pass: less memory, same result")] = None
    gradient_checkpointing: Annotated[bool, hint("compute activations twice: less memory, same result")] = False
    precision: Annotated[Precision, hint("auto: bf16 on a GPU that knows it")] = "auto"

    lora: Annotated[Lora | None, hint("adapters; without them the model is the reference. null trains all")] = Lora()
    value_adapter: Annotated[bool, hint("an adapter for the value function, too; false: a head on the policy")] = True
    value_start: Annotated[Literal["zero", "reward"], hint("value: 0 at first, or what the reward model says")] = "zero"
    learning_rate: Annotated[Positive, hint("of all that is trained; falls linearly to 0")] = 1e-4
    adam_epsilon: Annotated[Positive, hint("Adam's epsilon")] = 1e-5
    adam_epsilon_hat: Annotated[bool, hint("epsilon as TensorFlow's Adam takes it: gentler first steps")] = False
    max_grad_norm: Annotated[Positive, hint("gradients are clipped to this norm")] = 1.0
    ema: Annotated[OpenShare | None, hint("decay of the moving average that is kept as the policy; null: none")] = None

    temperature: Annotated[Positive, hint("of the rollout; logits are divided by it in training, too")] = 0.7
    max_new_tokens: Annotated[Count, hint("an answer is cut here")] = 256
    max_prompt_tokens: Annotated[Count, hint("longer prompts lose their oldest turns")] = 1024
    stop_token: Annotated[str | None, hint("an answer is cut after it, say 。; null: at the end of sequence")] = None
    missing_end_score: Annotated[float | None, hint("score of an answer that never ends; null: its own score")] = -1.0
    server: Annotated[Server | None, hint("who draws the answers; null: transformers, in this process")] = None

    kl_coefficient: Annotated[NotNegative, hint("weight of the per-token KL penalty")] = 0.05
    kl_target: Annotated[Positive | None, hint("KL per answer that the weight adapts to; null: fixed weight")] = None
    kl_horizon: Annotated[Positive, hint("answers over which the weight adapts")] = 10_000.0
    discount: Annotated[Share, hint("gamma")] = 1.0
    gae_lambda: Annotated[Share, hint("lambda of generalised advantage estimation")] = 0.95
    clip: Annotated[Positive, hint("clip range of the policy's probability ratio")] = 0.2
    value_clip: Annotated[Positive, hint("clip range of the value around its old one")] = 0.2
    value_coefficient: Annotated[NotNegative, hint("weight of the value loss")] = 0.1
    whiten_rewards: Annotated[bool, hint("scale per-token rewards to variance 1, keeping their mean")] = False
    whiten_advantages: Annotated[bool, hint("shift and scale advantages to mean 0, variance 1")] = True
    whiten_over: Annotated[Literal["rollout", "minibatch"], hint("what mean and variance are taken over")] = "rollout"
    ptx: Annotated[Path | None, hint("data set version whose doctors stay likely (PPO-ptx); null: none")] = None
    ptx_coefficient: Annotated[Positive, hint("weight of its mean negative log-likelihood per token")] = 27.8
    seed: Annotated[Natural, hint("seed of the split, the draws and the adapters")] = 0

    def __post_init__(self) -> None:
        if self.server and not self.lora:
            raise ValueError("a server is given adapters before every rollout: set `lora`, or leave `server` out")
        if self.value_start == "reward" and not (self.lora and self.value_adapter):
            raise ValueError("value_start: reward needs `lora` and `value_adapter: true`")
