"""Rewriting by a real server with the tiny model (`transformers serve`), and TRL on what mixes and texts hold."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

from corpus.matching import REVIEW, Review
from corpus.mixing.mix import mix
from corpus.mixing.pretrain_text import write_texts
from corpus.rewriting.rewrite import rewrite
from corpus.rewriting.rewrites import REWRITES, Rewrite, RewriteOptions
from corpus.sets import Plan, SetWriter, read_dialogues, run_step
from foundation.endpoint import Client, Endpoint
from foundation.jsonl import read_records
from kg.building.build import build_graph

READY = "Uvicorn running"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph")
    (folder / "t.csv").write_text(
        "head,relation,tail\n感冒,临床表现,头痛\n感冒,临床表现,咳嗽\n布洛芬,适应症,头痛\n", "utf-8"
    )
    build_graph([folder / "t.csv"], folder / "kg")
    return folder / "kg"


@pytest.fixture(scope="module")
def served(tiny: Path) -> Iterator[str]:
    """The address of `transformers serve` with the tiny model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(tiny)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if READY in line:
            break
    else:
        pytest.fail("transformers serve did not start: " + "".join(lines[-20:]))
    drained = threading.Thread(target=process.stderr.read, daemon=True)
    drained.start()
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="module")
def endpoint(served: str, tiny: Path) -> Endpoint:
    return Endpoint(base_url=served, model=str(tiny), connections=2, timeout=120, retries=1)


def test_a_real_server_answers_and_counts(endpoint: Endpoint) -> None:
    with Client(endpoint) as client:
        asked = [{"role": "user", "content": "医生您好，我头痛三天了，怎么办？"}]
        one, two = (client.chat(asked, max_tokens=16, seed=1) for _ in range(2))
    assert one.text == two.text
    assert one.usage.prompt_tokens > 0
    assert 0 < one.usage.completion_tokens <= 16
    assert client.usage.uncounted == 0


def test_what_a_tiny_model_makes_of_it_never_replaces_a_doctors_words(
    endpoint: Endpoint, version: Path, graph: Path, tmp_path: Path
) -> None:
    options = RewriteOptions(attempts=2, max_tokens=12)
    few = _few(version, tmp_path / "few")
    result = rewrite(few, graph, tmp_path / "out", endpoint, options=options, identified=True)
    assert [one.messages for one in read_dialogues(tmp_path / "out")] == [one.messages for one in read_dialogues(few)]
    kept = list(read_records(tmp_path / "out" / REWRITES, Rewrite))
    assert {row.outcome for row in kept} == {"kept"}
    assert {len(row.attempts) for row in kept} == {2}
    assert len(list(read_records(tmp_path / "out" / REVIEW, Review))) == len(kept) == result.details["turns_kept"]
    assert isinstance(tokens := result.details["prompt_tokens"], int) and tokens > 100 * len(kept)


def _few(version: Path, folder: Path) -> Path:
    def write(writer: SetWriter) -> None:
        for dialogue in list(read_dialogues(version))[:3]:
            writer.keep(dialogue)

    run_step(Plan(stage="few", inputs=[], parameters={}), folder, write)
    return folder


@pytest.mark.parametrize("what", ["mix", "texts"])
def test_trl_trains_on_it_as_it_is(
    what: str, tiny: Path, version: Path, graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if what == "mix":
        _mixed(version, tmp_path)
    else:
        write_texts(graph, [version], tmp_path / "out")
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    options: dict[str, Any] = {"max_steps": 1, "per_device_train_batch_size": 2, "use_cpu": True, "report_to": []}
    config = SFTConfig(output_dir=str(tmp_path / "sft"), save_strategy="no", **options)
    trainer = SFTTrainer(model=str(tiny), args=config, train_dataset=rows)
    assert trainer.train().training_loss > 0


def _mixed(version: Path, folder: Path) -> None:
    (folder / "mix.yaml").write_text(f"kinds: {{multi-turn: {{share: 1, sources: [{{path: {version}}}]}}}}\nrows: 8\n")
    mix(folder / "mix.yaml", folder / "out")
