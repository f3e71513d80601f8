"""What stops a PPO run, each with what to do next; the last good checkpoint is always kept."""

from __future__ import annotations

from collections.abc import Sequence

from foundation.errors import ZhongjingError, needs_extra
from training.recipes import PPORecipe

with needs_extra("train", "training with PPO"):
    import torch
    from accelerate import DistributedType
    from torch import Tensor

KEPT = "the last checkpoint is kept"


def refuse_spread(kind: DistributedType) -> None:
    """Answers are drawn by the whole policy, which FSDP and DeepSpeed take apart."""
    if kind in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        raise ZhongjingError(
            f"PPO cannot draw answers from weights that {kind.value} spreads over processes",
            hint="launch it on several GPUs without (DDP): a frozen base in bfloat16 and its adapters fit on each",
        )


def refuse_uneven(recipe: PPORecipe, processes: int) -> None:
    """Every process must have the same number of passes."""
    last = recipe.episodes % recipe.minibatch or recipe.minibatch
    if recipe.minibatch % processes or last % processes:
        raise ZhongjingError(
            f"{processes} processes cannot share {recipe.episodes} episodes in minibatches of {recipe.minibatch}",
            hint=f"make episodes and minibatch multiples of {processes}",
        )


def refuse_silence(texts: Sequence[str], iteration: int) -> None:
    """A policy that says nothing has nothing to learn from."""
    if not any(texts):
        raise ZhongjingError(
            f"all {len(texts)} answers of iteration {iteration} are empty",
            hint=f"look at the chat template and at stop_token, or lower learning_rate; {KEPT}",
        )


def refuse_not_finite(figure: Tensor, prompt_ids: Sequence[str], *rows: Tensor) -> None:
    """Stop before a spoilt step is taken, and name the prompts whose rows are spoilt, or all of the minibatch."""
    if figure.isfinite():
        return
    sound = torch.stack([row.isfinite().all(1) for row in rows]).all(0).tolist() if rows else []
    spoilt = [name for name, good in zip(prompt_ids, sound, strict=False) if not good] or prompt_ids
    raise ZhongjingError(
        f"the loss or its gradient is not a finite number, prompts {', '.join(sorted(set(spoilt)))}",
        hint=f"lower learning_rate, or look at these prompts; {KEPT}",
    )
