"""torch and transformers, set up the same way for every command: seeded, quiet, on the best device there is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from foundation.errors import ZhongjingError, needs_extra
from foundation.progress import Steps, progress

# Threads that wait by spinning starve every other process; read once, when torch loads its OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

with needs_extra("train", "training"):
    import torch
    import transformers
    from accelerate import Accelerator, PartialState
    from accelerate.state import AcceleratorState
    from accelerate.utils import InitProcessGroupKwargs

MAX_THREADS = 8


def prepare() -> None:
    """Use the processor cores this process may use, up to eight or as many as OMP_NUM_THREADS says, and keep the
    libraries' own chatter away."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    wanted = int(asked) if asked.isdecimal() else 0
    torch.set_num_threads(wanted or min(MAX_THREADS, len(os.sched_getaffinity(0))))
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


def machine() -> Any:
    """This process among those that `accelerate launch` or `torchrun` started: `device`, `process_index`,
    `num_processes`, `is_main_process`, `wait_for_everyone()`. A process started without them is the only one."""
    return PartialState(cpu=not torch.accelerator.is_available())


def device() -> torch.device:
    """The GPU of this process where there is one."""
    found: torch.device = machine().device
    return found


def accelerator(precision: str) -> Any:
    """What wraps model and optimiser for one process or many (DDP, FSDP, DeepSpeed), as `accelerate launch` says.

    The other processes may wait for hours while the first one evaluates.
    """
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=6))
    return Accelerator(mixed_precision=mixed_precision(precision), kwargs_handlers=[patience])


def mixed_precision(precision: str) -> str:
    """What accelerate calls it. Another precision of an earlier run in this process is forgotten; the same must not
    be, since accelerate forgets FSDP with it."""
    mixed = "bf16" if uses_bf16(precision) else "no"
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()
    return mixed


def uses_bf16(precision: str) -> bool:
    """Whether matrix products are to be in bfloat16: "auto" says yes on a GPU that knows it."""
    able = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return precision == "bf16" or (precision == "auto" and able)


@contextmanager
def training_progress(description: str, total: int) -> Iterator[Steps]:
    """A bar of the first process alone."""
    if not machine().is_main_process:
        yield Steps()
        return
    with progress(description, total) as bar:
        yield bar


@contextmanager
def enough_memory(settings: str) -> Iterator[None]:
    """Running out of memory becomes one error that names the `settings` to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        on_gpu_or_ours = isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
        if not on_gpu_or_ours and "can't allocate memory" not in str(error):
            raise
        raise ZhongjingError(
            f"out of memory on {device()}",
            hint=f"lower {settings}. Where that changes the result, start anew with --afresh; "
            "else the run goes on from its checkpoint",
        ) from error


def descend(
    loss: torch.Tensor, optimizer: torch.optim.Optimizer, weights: Sequence[torch.Tensor], max_norm: float
) -> float:
    """One optimiser step with gradients clipped to `max_norm`; returns the norm they had."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(weights, max_norm)
    optimizer.step()
    return norm.item()
