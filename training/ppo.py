"""PPO against a reward model, from top to bottom: rollout, rewards, advantages, clipped updates.

One base model serves as policy (low-rank adapters on), as reference (adapters off) and, with a linear head, as
value function. The details follow "The N implementation details of RLHF with PPO" (Huang et al., 2023).
Shapes: B answers, Q prompt tokens, R answer tokens; (B, R) tensors are 0 after an answer's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from corpus.records import Prompt
from foundation.errors import ZhongjingError, needs_extra
from foundation.manifest import claim_folder
from foundation.progress import progress
from training.generate import decoding_config, draw_tokens, read_prompts
from training.models import encode_prompt, load_causal, model_folder
from training.policy import KIND, PPOResult, PPOStep, compare, hold_out, sample, save_policy
from training.recipes import PPORecipe
from training.reward import adapted
from training.runtime import descend, device, prepare, seeded
from training.scoring import RewardModel

with needs_extra("train", "training with PPO"):
    import torch
    from torch import Tensor


class Rollout(msgspec.Struct):
    """Answers and all that an update needs of the moment they were drawn.

    `tokens` and `real` are (B, Q + R); the rest (B, R) but for `scores` (B,). `mask` is true up to an answer's end.
    """

    tokens: Tensor
    real: Tensor
    mask: Tensor
    logprobs: Tensor
    reference: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    scores: Tensor


class Losses(msgspec.Struct):
    """What one minibatch step measured."""

    policy: float
    value: float
    clipped: float
    ratio_deviation: float


def train_ppo(recipe: PPORecipe) -> PPOResult:
    """Train a policy, compare it with where it started on prompts held out, write the policy folder."""
    prepare()
    claim_folder(recipe.output, KIND)
    train, held_out = hold_out(read_prompts(recipe.prompts), recipe.held_out, recipe.seed, recipe.prompts)
    reward_model = RewardModel(recipe.reward_model)
    base = model_folder(recipe.model, recipe.output)
    with seeded(recipe.seed, 1):
        model, tokenizer = load_causal(base)
        actor = Actor(adapted(model, recipe.lora, task="CAUSAL_LM"), tokenizer)
    before = sample(actor.model, tokenizer, reward_model, held_out, recipe)
    history = list(_train(actor, reward_model, train, recipe))
    after = sample(actor.model, tokenizer, reward_model, held_out, recipe)
    metrics = compare(before, after, history, recipe, len(train))
    save_policy(recipe, base, actor.model.merge_and_unload(), tokenizer, metrics, history, held_out, before, after)
    return PPOResult(folder=recipe.output, metrics=metrics, history=history)


class Actor(torch.nn.Module):
    """Policy and value function: an adapted language model and a linear head on its last hidden states."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.value = torch.nn.Linear(model.config.hidden_size, 1).to(device())
        torch.nn.init.zeros_(self.value.weight)
        torch.nn.init.zeros_(self.value.bias)

    def forward(self, tokens: Tensor, real: Tensor, length: int, temperature: float) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the last `length` tokens, logits divided by temperature, and values before them."""
        output = self.model(
            input_ids=tokens,
            attention_mask=real,
            position_ids=(real.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=length + 1,
            output_hidden_states=True,
            use_cache=False,
        )
        logits = output.logits[:, :-1].float() / temperature
        answer = tokens[:, -length:].unsqueeze(-1)
        logprobs = logits.log_softmax(-1).gather(-1, answer).squeeze(-1)
        values = self.value(output.hidden_states[-1][:, -length - 1 : -1].float()).squeeze(-1)
        return logprobs, values


def _train(actor: Actor, reward_model: RewardModel, prompts: Sequence[Prompt], recipe: PPORecipe) -> Iterator[PPOStep]:
    weights = [weight for weight in actor.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=recipe.learning_rate, eps=recipe.adam_epsilon)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / recipe.iterations)
    random = np.random.default_rng(recipe.seed)
    stream = _shuffled(prompts, random)
    kl_coefficient = recipe.kl_coefficient
    with progress("training with PPO", recipe.iterations) as bar:
        for iteration in range(1, recipe.iterations + 1):
            chosen = [next(stream) for _ in range(recipe.episodes)]
            rollout = roll_out(actor, reward_model, chosen, recipe, iteration)
            kl = credit(rollout, recipe, kl_coefficient)
            losses = list(_update(actor, rollout, optimizer, weights, recipe, random))
            schedule.step()
            step = _step(iteration, rollout, kl, kl_coefficient, losses)
            _refuse_not_finite(step, chosen)
            kl_coefficient = adapt(kl_coefficient, kl, recipe)
            bar.advance()
            bar.say(f"training with PPO, reward {step.reward:+.2f}, KL {step.kl:.2f}")
            yield step


def roll_out(
    actor: Actor, reward_model: RewardModel, prompts: Sequence[Prompt], recipe: PPORecipe, iteration: int
) -> Rollout:
    """Draw one answer per prompt, cut it after its end, score it, and note what policy and reference thought of it."""
    tokenizer = actor.tokenizer
    coded = [encode_prompt(tokenizer, prompt.messages, recipe.max_prompt_tokens)[0] for prompt in prompts]
    config = decoding_config(tokenizer, temperature=recipe.temperature, max_new_tokens=recipe.max_new_tokens)
    with seeded(recipe.seed, 2, iteration):
        query, real_query, answer = draw_tokens(actor.model, tokenizer, coded, config)
    ends = answer.eq(tokenizer.eos_token_id)
    mask = ends.cumsum(1) - ends.long() == 0
    answer = answer.masked_fill(~mask, tokenizer.pad_token_id)
    texts = [text.strip() for text in tokenizer.batch_decode(answer, skip_special_tokens=True)]
    rewards = reward_model.rewards([prompt.messages for prompt in prompts], [[text] for text in texts])
    tokens, real = torch.cat([query, answer], 1), torch.cat([real_query, mask.long()], 1)
    opinions = zip(*_opinions(actor, tokens, real, recipe, mask), strict=True)
    logprobs, values, reference = (torch.cat(parts) for parts in opinions)
    blank = torch.zeros_like(values)
    scores = penalise(torch.tensor(rewards, device=device()).squeeze(1), ends.any(1), recipe.missing_end_score)
    return Rollout(tokens, real, mask, logprobs, reference, values, blank, blank, scores)


def _opinions(
    actor: Actor, tokens: Tensor, real: Tensor, recipe: PPORecipe, mask: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Log-probabilities, values and the reference's log-probabilities, 0 after the end.

    In the minibatches of the first epoch, so that its first ratio is exactly 1.
    """
    length = mask.shape[1]
    with torch.no_grad():
        for start in range(0, len(tokens), recipe.minibatch):
            part = slice(start, start + recipe.minibatch)
            logprobs, values = actor(tokens[part], real[part], length, recipe.temperature)
            with actor.model.disable_adapter():
                reference, _ = actor(tokens[part], real[part], length, recipe.temperature)
            yield logprobs * mask[part], values * mask[part], reference * mask[part]


def penalise(scores: Tensor, ended: Tensor, missing_end_score: float | None) -> Tensor:
    """A fixed score for answers that never ended; scores (B,) as they are where it is None."""
    return scores if missing_end_score is None else torch.where(ended, scores, missing_end_score)


def credit(rollout: Rollout, recipe: PPORecipe, kl_coefficient: float) -> float:
    """Fill in advantages and returns; returns the KL per answer in nats."""
    kl = rollout.logprobs - rollout.reference
    rewards = token_rewards(rollout.scores, kl, rollout.mask, kl_coefficient)
    if recipe.whiten_rewards:
        rewards = whiten(rewards, rollout.mask, shift=False)
    advantages, rollout.returns = estimate(rewards, rollout.values, recipe.discount, recipe.gae_lambda)
    rollout.advantages = whiten(advantages, rollout.mask, shift=True) if recipe.whiten_advantages else advantages
    return kl.sum(1).mean().item()


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, kl_coefficient: float) -> Tensor:
    """(B, R): -coefficient x KL on every token, and the score on the last one of each answer."""
    rewards = -kl_coefficient * kl * mask
    last = mask.sum(1) - 1
    rewards[torch.arange(len(rewards)), last] += scores
    return rewards


def whiten(values: Tensor, mask: Tensor, *, shift: bool) -> Tensor:
    """Variance 1 over the true places of `mask`, and mean 0 where `shift`, else the mean they had; 0 elsewhere."""
    inside = values[mask]
    mean = inside.mean()
    scaled = (values - mean) * torch.rsqrt(inside.var(correction=0) + 1e-8)
    return (scaled if shift else scaled + mean) * mask


def estimate(rewards: Tensor, values: Tensor, discount: float, gae_lambda: float) -> tuple[Tensor, Tensor]:
    """Advantages and returns (B, R) by generalised advantage estimation (arXiv 1506.02438, equation 16).

    Rewards and values are 0 after an answer's end, where the estimate is 0, too.
    """
    advantages = torch.zeros_like(rewards)
    carried = torch.zeros_like(rewards[:, 0])
    following = torch.zeros_like(carried)
    for place in reversed(range(rewards.shape[1])):
        surprise = rewards[:, place] + discount * following - values[:, place]
        carried = surprise + discount * gae_lambda * carried
        advantages[:, place] = carried
        following = values[:, place]
    return advantages, advantages + values


def policy_loss(
    logprobs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Clipped surrogate (arXiv 1707.06347, equation 7) as a mean over tokens, the ratio (B, R), and the share of
    tokens where the clip binds."""
    ratio = torch.exp((logprobs - old) * mask)
    free, bound = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    return torch.max(free, bound)[mask].mean(), ratio, (bound > free)[mask].float().mean()


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    """Half the mean over tokens of the larger squared error: of the value, or of the value kept within `clip` of
    its old one."""
    kept = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.max((values - returns) ** 2, (kept - returns) ** 2)[mask].mean()


def adapt(kl_coefficient: float, kl: float, recipe: PPORecipe) -> float:
    """The next KL weight (arXiv 1909.08593, section 2.2): a proportional controller towards `kl_target`."""
    if recipe.kl_target is None:
        return kl_coefficient
    error = min(max(kl / recipe.kl_target - 1, -0.2), 0.2)
    return kl_coefficient * (1 + error * recipe.episodes / recipe.kl_horizon)


def _update(
    actor: Actor,
    rollout: Rollout,
    optimizer: torch.optim.Optimizer,
    weights: Sequence[Tensor],
    recipe: PPORecipe,
    random: np.random.Generator,
) -> Iterator[Losses]:
    """Passes over the rollout in minibatches: the first in its own order, the others shuffled anew."""
    for epoch in range(recipe.epochs):
        order = random.permutation(recipe.episodes) if epoch else np.arange(recipe.episodes)
        for start in range(0, recipe.episodes, recipe.minibatch):
            part = torch.from_numpy(order[start : start + recipe.minibatch]).to(device())
            mask, old_values = rollout.mask[part], rollout.values[part]
            logprobs, values = actor(rollout.tokens[part], rollout.real[part], mask.shape[1], recipe.temperature)
            policy, ratio, clipped = policy_loss(
                logprobs, rollout.logprobs[part], rollout.advantages[part], mask, recipe.clip
            )
            value = value_loss(values, old_values, rollout.returns[part], mask, recipe.value_clip)
            descend(policy + recipe.value_coefficient * value, optimizer, weights, recipe.max_grad_norm)
            yield Losses(policy.item(), value.item(), clipped.item(), (ratio - 1).abs().max().item())


def _step(iteration: int, rollout: Rollout, kl: float, kl_coefficient: float, losses: Sequence[Losses]) -> PPOStep:
    def over(name: str) -> float:
        return round(float(np.mean([getattr(loss, name) for loss in losses])), 6)

    return PPOStep(
        iteration=iteration,
        reward=round(rollout.scores.mean().item(), 6),
        kl=round(kl, 6),
        kl_coefficient=round(kl_coefficient, 6),
        length=round(rollout.mask.sum(1).float().mean().item(), 6),
        policy_loss=over("policy"),
        value_loss=over("value"),
        clip_fraction=over("clipped"),
        first_ratio_deviation=losses[0].ratio_deviation,
    )


def _shuffled(prompts: Sequence[Prompt], random: np.random.Generator) -> Iterator[Prompt]:
    while True:
        for place in random.permutation(len(prompts)):
            yield prompts[place]


def _refuse_not_finite(step: PPOStep, prompts: Sequence[Prompt]) -> None:
    if not np.isfinite([step.reward, step.kl, step.policy_loss, step.value_loss]).all():
        names = ", ".join(sorted({prompt.prompt_id for prompt in prompts}))
        raise ZhongjingError(
            f"a loss is not a finite number in iteration {step.iteration}, prompts {names}",
            hint="lower learning_rate, or look at these prompts; nothing was written",
        )
