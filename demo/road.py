"""The road: from raw files to a policy, every stage a call of the room that owns it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.agreement.agreement import AgreementSummary
from annotation.releases.release import Release
from corpus.build import run_chain
from corpus.sampling import sample_prompts
from corpus.sets import StageResult
from demo.answers import dialogues_with_answers
from demo.experts import ask_experts
from demo.inputs import Inputs
from demo.learning import Effort, find_answers, learn_policy, learn_reward, require_training, stand_in
from demo.stages import Road, StageLine
from foundation.manifest import Manifest
from kg.building.build import build_graph

if TYPE_CHECKING:
    from training.policy import PPOResult
    from training.reward import RewardResult

STEPS = {"import": "read", "deidentify": "de-identify", "dedup": "deduplicate"}


@dataclass
class Travelled:
    """Everything the closing table and the report speak of."""

    folder: Path
    inputs: Inputs
    seed: int
    lines: list[StageLine]
    graph: Manifest
    corpus: list[StageResult]
    version: Path
    agreement: AgreementSummary
    release: Release
    reward: RewardResult
    ppo: PPOResult


def travel(inputs: Inputs, out: Path, seed: int, effort: Effort | None = None) -> Travelled:
    """Run all stages under `out`; what an earlier run with the same inputs and seed left is reused."""
    require_training()
    effort = effort or Effort()
    road = Road(out)
    graph = _graph(road, inputs)
    results, version = _corpus(road, inputs)
    prompts = _prompts(road, inputs, version, seed)
    stand_in(road, version, seed, effort)
    find_answers(road, inputs, version, prompts, seed)
    summary, release = ask_experts(road, prompts, seed)
    reward = learn_reward(road, seed, effort)
    ppo = learn_policy(road, prompts, seed, effort)
    return Travelled(out, inputs, seed, road.lines, graph, results, version, summary, release, reward, ppo)


def _graph(road: Road, inputs: Inputs) -> Manifest:
    start = time.monotonic()
    folder = road.folder / "kg"
    files = [*inputs.graph, *([inputs.aliases] if inputs.aliases else [])]
    built, reused = road.run(
        "graph",
        lambda: build_graph(inputs.graph, folder, aliases=inputs.aliases, names=inputs.graph_names),
        Manifest,
        inputs=files,
        outputs=[folder],
        parameters={"names": inputs.graph_names},
    )
    counts = built.counts
    note = (
        f"{counts['triples']:,} triples over {counts['entities']:,} entities, {counts['aliases']:,} aliases; "
        f"merged {counts['merged_inverses']:,} inverses and {counts['duplicates']:,} duplicates, "
        f"left out {sum(counts['rejected'].values()):,}"
    )
    road.tell("graph", counts["read"], counts["triples"], note, reused=reused, since=start)
    return built


def _corpus(road: Road, inputs: Inputs) -> tuple[list[StageResult], Path]:
    since = [time.monotonic()]

    def tell(result: StageResult) -> None:
        note = result.line().removeprefix(f"{result.stage}: ").removesuffix(" [reused]")
        road.tell(
            STEPS.get(result.stage, result.stage), result.read, result.kept, note, reused=result.reused, since=since[0]
        )
        since[0] = time.monotonic()

    results = run_chain(
        inputs.dialogues, road.folder / "kg", road.folder, inputs.name, names=inputs.dialogue_names, on_stage=tell
    )
    return results, road.folder / "versions" / str(results[-1].details["version"])


def _prompts(road: Road, inputs: Inputs, version: Path, seed: int) -> Path:
    start = time.monotonic()
    prompts, graph = road.folder / "prompts.jsonl", road.folder / "kg"
    raw_ids = dialogues_with_answers(inputs.answers) if inputs.answers else None
    result, reused = road.run(
        "sample",
        lambda: sample_prompts(version, prompts, count=inputs.prompts, seed=seed, graph=graph, raw_ids=raw_ids),
        StageResult,
        inputs=[version, graph],
        outputs=[prompts],
        parameters={"count": inputs.prompts, "seed": seed, "raw_ids": sorted(raw_ids or ())},
    )
    road.tell("sample", result.read, result.kept, f"{result.kept} prompts", reused=reused, since=start)
    return prompts
