"""torch and transformers, set up the same way for every command: seeded, quiet, on the best device there is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from foundation.errors import ZhongjingError, needs_extra

# Threads that wait by spinning starve every other process; read once, when torch loads its OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

with needs_extra("train", "training"):
    import torch
    import transformers

MAX_THREADS = 8


def prepare() -> None:
    """Use the processor cores this process may use, up to eight, and keep the libraries' own chatter away."""
    torch.set_num_threads(min(MAX_THREADS, len(os.sched_getaffinity(0))))
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    transformers.utils.logging.disable_progress_bar()


@contextmanager
def seeded(*seeds: int) -> Iterator[None]:
    """Random numbers inside the block depend on `seeds` alone, and those outside are not disturbed."""
    import numpy as np

    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0] >> np.uint64(1)))
        yield


@contextmanager
def finite_probabilities() -> Iterator[None]:
    """A model whose weights are spoilt becomes one clear error."""
    try:
        yield
    except RuntimeError as error:
        if "probability tensor" not in str(error):
            raise
        raise ZhongjingError(
            "the model's probabilities are not finite numbers; nothing was written", hint="lower learning_rate"
        ) from error


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def descend(
    loss: torch.Tensor, optimizer: torch.optim.Optimizer, weights: Sequence[torch.Tensor], max_norm: float
) -> float:
    """One optimiser step with gradients clipped to `max_norm`; returns the norm they had."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(weights, max_norm)
    optimizer.step()
    return norm.item()
