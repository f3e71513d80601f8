"""PPO against a reward model, from top to bottom: rollout, rewards, advantages, clipped updates.

One base model serves as policy, reference, value function and reward model (`training/actor.py`). The details follow
"The N implementation details of RLHF with PPO" (Huang et al., 2023) and its sequel (arXiv 2403.17031);
`docs/training.md` lists them with their options and tests.
Shapes: B answers, Q prompt tokens, R answer tokens; (B, R) tensors are 0 after an answer's end.
Every random number depends on the seed, the iteration and the episode alone, so that a run that was killed, and one
that several processes share, draws the same answers and shuffles alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import msgspec
import numpy as np

from foundation.errors import needs_extra
from foundation.manifest import claim_folder
from training.actor import Actor, load_actor
from training.checkpoints import Checkpoints, identity, start_afresh
from training.drawing import Drawer, LocalDrawer, padded
from training.generate import read_prompts
from training.guards import refuse_not_finite, refuse_silence, refuse_spread, refuse_uneven
from training.judge import judge_of, start_value
from training.logs import RunLog
from training.models import model_folder
from training.policy import KIND, Encoded, PPOResult, PPOStep, conclude, encode, hold_out, inputs_of
from training.recipes import PPORecipe
from training.replies import Replies
from training.runtime import accelerator, device, enough_memory, machine, prepare, training_progress
from training.scoring import RewardModel
from training.server import ServerDrawer
from training.stepping import Average, set_epsilon
from training.watch import repetition

with needs_extra("train", "training with PPO"):
    import torch
    from accelerate.utils import gather_object
    from torch import Tensor

MEMORY = "rows_per_pass, max_new_tokens, max_prompt_tokens or lora.rank, or set gradient_checkpointing: true"
PROMPTS, ANSWERS, SHUFFLES, DOCTORS = 4, 5, 6, 7


class Episode(msgspec.Struct, frozen=True):
    """One prompt answered once and scored."""

    prompt_id: str
    prompt: list[int]
    answer: list[int]
    text: str
    reward: float
    ended: bool


class Rollout(msgspec.Struct, kw_only=True):
    """Answers and all that an update needs of the moment they were drawn.

    `tokens` and `real` are (B, Q + R); the rest (B, R) but for `scores` (B,). `mask` is true up to an answer's end.
    """

    prompt_ids: list[str]
    tokens: Tensor
    real: Tensor
    mask: Tensor
    scores: Tensor
    logprobs: Tensor
    reference: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor


def train_ppo(recipe: PPORecipe, *, afresh: bool = False) -> PPOResult:
    """Train a policy, compare it with where it started on prompts held out, write the policy folder.

    An interrupted run goes on from its checkpoint, with the same numbers to the last digit, or is forgotten (`afresh`).
    """
    prepare()
    claim_folder(recipe.output, KIND)
    train, held_out = hold_out(read_prompts(recipe.prompts), recipe.held_out, recipe.seed, recipe.prompts)
    with machine().main_process_first():
        base = model_folder(recipe.model, recipe.output)
        if afresh:
            start_afresh(recipe.output)
    checkpoints = Checkpoints(recipe.output, identity(recipe, inputs_of(recipe, base)))
    with enough_memory(MEMORY), RunLog(recipe.output, PPOStep, recipe) as log:
        actor = load_actor(base, recipe)
        judge = judge_of(recipe.reward_model, actor)
        if recipe.value_start == "reward":
            start_value(actor, judge)
        trainer = Trainer(recipe, actor, judge, encode(actor.tokenizer, train, recipe.max_prompt_tokens))
        trainer.train(checkpoints, log)
        trainer.average.take_over(actor.trained())
        with trainer.accelerator.autocast():
            result = conclude(recipe, base, actor, judge, trainer.prompts, held_out, log.history)
    checkpoints.remove()
    return result


class Trainer:
    """The loop: what it trains, and with whom."""

    def __init__(self, recipe: PPORecipe, actor: Actor, judge: RewardModel, prompts: Sequence[Encoded]) -> None:
        self.recipe, self.actor, self.judge, self.prompts = recipe, actor, judge, prompts
        local = LocalDrawer(actor.plain, actor.tokenizer, recipe)
        self.drawer: Drawer = ServerDrawer(recipe, recipe.server, local.stop) if recipe.server else local
        self.replies = Replies(recipe, actor.tokenizer) if recipe.ptx else None
        self.accelerator = accelerator(recipe.precision)
        self.processes, self.rank = self.accelerator.num_processes, self.accelerator.process_index
        refuse_spread(self.accelerator.distributed_type)
        refuse_uneven(recipe, self.processes)
        optimizer = torch.optim.Adam(actor.trained().values(), lr=recipe.learning_rate, eps=recipe.adam_epsilon)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 - done / recipe.iterations)
        self.model, self.optimizer = self.accelerator.prepare(actor, optimizer)
        self.kl_coefficient = recipe.kl_coefficient
        self.average = Average(actor.trained(), recipe.ema)

    def train(self, checkpoints: Checkpoints, log: RunLog[PPOStep]) -> None:
        """All iterations that are not done yet."""
        extra = checkpoints.load(self.model, self.optimizer, self.schedule)
        self.kl_coefficient = extra.get("kl_coefficient", self.kl_coefficient)
        self.average.restore(extra.get("average", {}))
        log.resume(checkpoints.step)
        with training_progress("training with PPO", self.recipe.iterations - checkpoints.step) as bar:
            for iteration in range(checkpoints.step + 1, self.recipe.iterations + 1):
                step, texts = self.iterate(iteration)
                log.add(step)
                if self.recipe.show_texts:
                    log.text("answers", iteration, "\n\n".join(texts[:4]))
                if iteration % self.recipe.checkpoint_every == 0 and iteration < self.recipe.iterations:
                    extra = {"kl_coefficient": self.kl_coefficient, "average": self.average.values}
                    checkpoints.save(iteration, self.model, self.optimizer, self.schedule, extra)
                bar.advance()
                bar.say(f"training with PPO, reward {step.reward:+.2f}, KL {step.kl:.2f}")

    def iterate(self, iteration: int) -> tuple[PPOStep, list[str]]:
        """One rollout and its updates; returns what was measured and the answers."""
        rate = float(self.schedule.get_last_lr()[0])
        episodes = self.answer(iteration)
        rollout = self.roll_out(episodes)
        kl = (rollout.logprobs - rollout.reference).sum(1).mean().item()
        losses = self.accelerator.reduce(torch.stack(list(self.update(rollout, iteration))), "sum")
        self.schedule.step()
        policy, value, clipped, _, norm = losses.mean(0).tolist()
        step = PPOStep(
            iteration=iteration,
            reward=rollout.scores.mean().item(),
            kl=kl,
            kl_coefficient=self.kl_coefficient,
            length=rollout.mask.sum(1).float().mean().item(),
            ended=sum(one.ended for one in episodes) / len(episodes),
            repetition=repetition([one.answer for one in episodes]),
            entropy=-(rollout.logprobs.sum() / rollout.mask.sum()).item(),
            policy_loss=policy,
            value_loss=value,
            clip_fraction=clipped,
            gradient_norm=norm,
            learning_rate=rate,
            first_ratio_deviation=losses[0, 3].item(),
        )
        self.kl_coefficient = adapt(self.kl_coefficient, kl, self.recipe)
        return step, [episode.text for episode in episodes]

    def answer(self, iteration: int) -> list[Episode]:
        """Draw and score the iteration's answers; each process its share, all get all of them."""
        recipe, numbers = self.recipe, range(self.rank, self.recipe.episodes, self.processes)
        first = (iteration - 1) * recipe.episodes
        chosen = [self.prompts[in_turn(recipe.seed, len(self.prompts), first + number)] for number in numbers]
        self.drawer.refresh(self.actor, iteration)
        seeds = [(recipe.seed, ANSWERS, iteration, number) for number in numbers]
        with self.accelerator.autocast():
            answers = self.drawer.draw([encoded.tokens for encoded in chosen], seeds)
            texts = [text.strip() for text in self.actor.tokenizer.batch_decode(answers, skip_special_tokens=True)]
            rewards = self.judge.rewards([encoded.prompt.messages for encoded in chosen], [[text] for text in texts])
        mine = [
            Episode(encoded.prompt.prompt_id, encoded.tokens, answer, text, reward, answer[-1:] == [self.drawer.stop])
            for encoded, answer, text, (reward,) in zip(chosen, answers, texts, rewards, strict=True)
        ]
        gathered = gather_object(mine)
        share = len(mine)
        episodes = [gathered[owner * share + place] for place in range(share) for owner in range(self.processes)]
        refuse_silence([episode.text for episode in episodes], iteration)
        return episodes

    def roll_out(self, episodes: Sequence[Episode]) -> Rollout:
        """What policy, reference and value function think of the answers, and what follows from it.

        In the very passes of the first epoch, so that its first ratio is exactly 1.
        """
        recipe, pad = self.recipe, self.actor.tokenizer.pad_token_id
        tokens, real, mask = padded([one.prompt for one in episodes], [one.answer for one in episodes], pad)
        rewards = torch.tensor([one.reward for one in episodes], device=device())
        ended = torch.tensor([one.ended for one in episodes], device=device())
        blank = torch.zeros(mask.shape, device=device())
        rollout = Rollout(
            prompt_ids=[one.prompt_id for one in episodes],
            tokens=tokens,
            real=real,
            mask=mask,
            scores=penalise(rewards, ended, recipe.missing_end_score),
            **{name: blank.clone() for name in ("logprobs", "reference", "values", "advantages", "returns")},
        )
        for start in range(0, len(episodes), recipe.minibatch):
            for rows in self.passes(np.arange(start, min(start + recipe.minibatch, len(episodes)))):
                self.note(rollout, rows)
        for name in ("logprobs", "reference", "values"):
            setattr(rollout, name, self.accelerator.reduce(getattr(rollout, name), "sum"))
        return credit(rollout, recipe, self.kl_coefficient)

    def note(self, rollout: Rollout, rows: np.ndarray) -> None:
        """Fill in log-probabilities and values of some rows."""
        part = take(rollout, rows)
        length = part.mask.shape[1]
        with torch.no_grad():
            logprobs, values = self.model(part.tokens, part.real, length, self.recipe.temperature)
            reference, _ = self.model(part.tokens, part.real, length, self.recipe.temperature, reference=True)
        rollout.logprobs[rows, :length] = logprobs * part.mask
        rollout.values[rows, :length] = values * part.mask
        rollout.reference[rows, :length] = reference * part.mask

    def passes(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """This process's share of a minibatch, as many rows at once as there is memory for."""
        mine = rows[self.rank :: self.processes]
        size = self.recipe.rows_per_pass or len(mine)
        for start in range(0, len(mine), size):
            yield mine[start : start + size]

    def update(self, rollout: Rollout, iteration: int) -> Iterator[Tensor]:
        """Passes over the rollout in minibatches: the first in its own (drawn) order, the others shuffled anew."""
        recipe = self.recipe
        for epoch in range(recipe.epochs):
            random = np.random.default_rng((recipe.seed, SHUFFLES, iteration, epoch))
            order = random.permutation(recipe.episodes) if epoch else np.arange(recipe.episodes)
            for start in range(0, recipe.episodes, recipe.minibatch):
                batch = take(rollout, order[start : start + recipe.minibatch])
                if recipe.whiten_over == "minibatch":
                    batch = credit(batch, recipe, self.kl_coefficient)
                yield self.descend(batch, (recipe.seed, DOCTORS, iteration, epoch, start))

    def descend(self, batch: Rollout, seed: tuple[int, ...]) -> Tensor:
        """One optimiser step on a minibatch; returns this process's share of its figures (5,): policy loss, value
        loss, share of tokens clipped, the ratio's largest deviation from 1, gradient norm."""
        recipe = self.recipe
        figures, furthest = torch.zeros(3, device=device()), torch.zeros((), device=device())
        passes = list(self.passes(np.arange(len(batch.prompt_ids))))
        if self.replies:
            with self.accelerator.no_sync(self.model):
                self.accelerator.backward(recipe.ptx_coefficient * self.replies.loss(self.model, seed, self.rank))
        for rows in passes:
            part = take(batch, rows)
            with nullcontext() if rows is passes[-1] else self.accelerator.no_sync(self.model):
                logprobs, values = self.model(part.tokens, part.real, part.mask.shape[1], recipe.temperature)
                policy, ratio, clipped = policy_loss(logprobs, part.logprobs, part.advantages, part.mask, recipe.clip)
                value = value_loss(values, part.values, part.returns, part.mask, recipe.value_clip)
                loss = policy + recipe.value_coefficient * value
                refuse_not_finite(loss, part.prompt_ids, logprobs, values)
                share = part.mask.sum() / batch.mask.sum()
                self.accelerator.backward(loss * share * self.processes)
            figures += share * torch.stack([policy.detach(), value.detach(), clipped])
            furthest = torch.maximum(furthest, (ratio.detach() - 1).abs().max())
        norm = self.accelerator.clip_grad_norm_(self.actor.trained().values(), recipe.max_grad_norm)
        refuse_not_finite(norm, batch.prompt_ids)
        if recipe.adam_epsilon_hat:
            set_epsilon(self.optimizer, recipe.adam_epsilon)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.follow(self.actor.trained())
        return torch.cat([figures, torch.stack([furthest, norm]) / self.processes])


def take(rollout: Rollout, rows: np.ndarray) -> Rollout:
    """Some rows of a rollout, without the columns of padding that they do not need."""
    places = torch.from_numpy(rows).to(device())
    prompt = rollout.tokens.shape[1] - rollout.mask.shape[1]
    first = int(rollout.real[places, :prompt].any(0).int().argmax())
    length = int(rollout.mask[places].sum(1).max())
    short = {name: getattr(rollout, name)[places, :length] for name in rollout.__struct_fields__[5:]}
    return Rollout(
        prompt_ids=[rollout.prompt_ids[row] for row in rows],
        tokens=rollout.tokens[places, first : prompt + length],
        real=rollout.real[places, first : prompt + length],
        mask=rollout.mask[places, :length],
        scores=rollout.scores[places],
        **short,
    )


def penalise(scores: Tensor, ended: Tensor, missing_end_score: float | None) -> Tensor:
    """A fixed score for answers that never ended; scores (B,) as they are where it is None."""
    return scores if missing_end_score is None else torch.where(ended, scores, missing_end_score)


def credit(rollout: Rollout, recipe: PPORecipe, kl_coefficient: float) -> Rollout:
    """The rollout with advantages and returns."""
    kl = rollout.logprobs - rollout.reference
    rewards = token_rewards(rollout.scores, kl, rollout.mask, kl_coefficient)
    if recipe.whiten_rewards:
        rewards = whiten(rewards, rollout.mask, shift=False)
    advantages, returns = estimate(rewards, rollout.values, recipe.discount, recipe.gae_lambda)
    if recipe.whiten_advantages:
        advantages = whiten(advantages, rollout.mask, shift=True)
    return msgspec.structs.replace(rollout, advantages=advantages, returns=returns)


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


def in_turn(seed: int, count: int, index: int) -> int:
    """The place of the `index`-th prompt to answer: all of them once in a shuffled order, then in another."""
    turn, place = divmod(index, count)
    return int(np.random.default_rng((seed, PROMPTS, turn)).permutation(count)[place])
