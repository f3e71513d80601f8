from collections.abc import Callable
from pathlib import Path

import pytest

from demo.closing import close
from demo.inputs import sample
from demo.learning import Effort
from demo.road import Travelled, travel

Walk = Callable[[Path], Travelled]


@pytest.fixture(scope="session")
def walk() -> Walk:
    """The whole road on the sample, with little training."""

    def walked(out: Path) -> Travelled:
        travelled = travel(sample(), out, 0, Effort(tiny_steps=30, reward_epochs=2, ppo_iterations=2))
        close(travelled)
        return travelled

    return walked


@pytest.fixture(scope="session")
def travelled(walk: Walk, tmp_path_factory: pytest.TempPathFactory) -> Travelled:
    return walk(tmp_path_factory.mktemp("road"))
