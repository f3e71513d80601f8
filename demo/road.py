"""The road: from raw files to a policy, every stage a call of the room that owns it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.agreement import AgreementSummary, agreement
from annotation.campaigns import create_campaign, find_campaign, sizes
from annotation.database import Database, open_database
from annotation.errors import NotFoundError
from annotation.exports import Release, export
from annotation.inputs import read_outputs, read_prompts, read_truth
from annotation.simulation import add_simulated_experts, simulate
from corpus.build import run_chain
from corpus.records import make_id
from corpus.sampling import sample_prompts
from corpus.sets import StageResult
from demo.answers import Loaded, dialogues_with_answers, load_answers
from demo.figures import figure, share
from demo.inputs import Inputs
from demo.stages import Road, StageLine
from foundation.cli import say
from foundation.errors import MissingExtraError
from foundation.files import sha256_of
from foundation.manifest import Manifest, entry_of
from kg.build import build_graph

if TYPE_CHECKING:
    from training.policy import PPOResult
    from training.reward import RewardResult

DRAWN = (("tiny-cool", 0.6), ("tiny-warm", 1.0), ("tiny-hot", 1.4))
NEW_TOKENS = 48
TRAINING = ("torch", "transformers", "peft", "accelerate")
STEPS = {"import": "read", "deidentify": "de-identify", "dedup": "deduplicate"}


@dataclass(frozen=True)
class Effort:
    """How long to train the stand-in. The default is a demo's, far from what a real model needs."""

    tiny_steps: int = 240
    reward_epochs: int = 6
    ppo_iterations: int = 14


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
    _require_training()
    effort = effort or Effort()
    road = Road(out)
    graph = _graph(road, inputs)
    results, version = _corpus(road, inputs)
    prompts = _prompts(road, inputs, version, seed)
    _stand_in(road, version, seed, effort)
    _answers(road, inputs, version, prompts, seed)
    summary, release = _rankings(road, prompts, seed)
    reward = _reward(road, seed, effort)
    ppo = _ppo(road, prompts, seed, effort)
    return Travelled(out, inputs, seed, road.lines, graph, results, version, summary, release, reward, ppo)


def _require_training() -> None:
    """Say now what is missing, not after minutes of work."""
    if not all(map(find_spec, TRAINING)):
        raise MissingExtraError("train", "the reward model and PPO at the end of the road")


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
        f"merged {counts['merged_inverses']:,} inverses and {counts['duplicates']:,} duplicates"
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


def _stand_in(road: Road, version: Path, seed: int, effort: Effort) -> None:
    from training.tiny import NOTICE, TinyResult, build_tiny

    start = time.monotonic()
    folder = road.folder / "tiny_model"
    say(f"    No pretrained model is at hand: a tiny Llama is built and trained on this corpus, {NOTICE}.")
    built, reused = road.run(
        "tiny model",
        lambda: build_tiny(version, folder, seed=seed, steps=effort.tiny_steps),
        TinyResult,
        inputs=[version],
        outputs=[folder],
        parameters={"seed": seed, "steps": effort.tiny_steps},
    )
    note = (
        f"a Llama of {built.parameters / 1e6:.2f} M weights, {built.vocabulary:,} tokens, "
        f"loss {built.loss_first:.2f} -> {built.loss_last:.2f}"
    )
    road.tell("tiny model", built.dialogues, 1, note, reused=reused, since=start)


def _answers(road: Road, inputs: Inputs, version: Path, prompts: Path, seed: int) -> None:
    if inputs.answers is None:
        _draw(road, prompts, seed)
    else:
        _load(road, inputs.answers, version, prompts)


def _load(road: Road, answers: Path, version: Path, prompts: Path) -> None:
    start = time.monotonic()
    outputs, truth = road.folder / "outputs.jsonl", road.folder / "truth.jsonl"
    loaded, reused = road.run(
        "answers",
        lambda: load_answers(answers, version, prompts, outputs, truth),
        Loaded,
        inputs=[answers, version, prompts],
        outputs=[outputs, truth],
        parameters={},
    )
    note = f"{loaded.outputs} answers of the sample loaded for {loaded.prompts} prompts"
    road.tell("answers", loaded.prompts, loaded.outputs, note, reused=reused, since=start)


def _draw(road: Road, prompts: Path, seed: int) -> None:
    from training.generate import GenerateResult, generate
    from training.recipes import Answerer, GenerateRecipe, parameters

    start = time.monotonic()
    folder, outputs = road.folder / "tiny_model", road.folder / "outputs.jsonl"
    (road.folder / "truth.jsonl").unlink(missing_ok=True)
    recipe = GenerateRecipe(
        prompts=prompts,
        output=outputs,
        include_reference=True,
        max_prompt_tokens=256,
        seed=seed,
        models=[
            Answerer(name=name, path=folder, temperature=temperature, max_new_tokens=NEW_TOKENS)
            for name, temperature in DRAWN
        ],
    )
    result, reused = road.run(
        "answers",
        lambda: generate(recipe),
        GenerateResult,
        inputs=[prompts, folder],
        outputs=[outputs],
        parameters=parameters(recipe),
    )
    note = f"{result.outputs} answers to {result.prompts} prompts: the doctor's own and {len(DRAWN)} drawn"
    road.tell("answers", result.prompts, result.outputs, note, reused=reused, since=start)


def _rankings(road: Road, prompts: Path, seed: int) -> tuple[AgreementSummary, Release]:
    outputs = road.folder / "outputs.jsonl"
    database = open_database(f"sqlite:///{(road.folder / 'zhongjing.db').absolute()}")
    try:
        name = _tasks(road, database, prompts, outputs, seed)
        _rank(road, database, name, seed)
        summary = _agreement(road, database, name)
        return summary, _export(road, database, name, [prompts, outputs], seed)
    finally:
        database.close()


def _tasks(road: Road, database: Database, prompts: Path, outputs: Path, seed: int) -> str:
    start = time.monotonic()
    name = make_id("demo", sha256_of(prompts), sha256_of(outputs), seed)
    with database.write() as session:
        try:
            campaign, reused = find_campaign(session, name), True
        except NotFoundError:
            experts = [user.name for user in add_simulated_experts(session)]
            campaign, reused = (
                create_campaign(
                    session,
                    name=name,
                    prompts=read_prompts(prompts),
                    outputs=read_outputs(outputs),
                    experts=experts,
                    overlap=len(experts),
                    seed=seed,
                ),
                False,
            )
        tasks, assignments = sizes(session, campaign)
    note = f"{tasks} tasks, {assignments} assignments to six SIMULATED experts, blind and shuffled"
    road.tell("tasks", tasks, assignments, note, reused=reused, since=start)
    return name


def _rank(road: Road, database: Database, name: str, seed: int) -> None:
    start = time.monotonic()
    truth = road.folder / "truth.jsonl"
    with database.write() as session:
        campaign = find_campaign(session, name)
        done = simulate(session, campaign, seed=seed, truth=read_truth(truth) if truth.exists() else None)
        _, assignments = sizes(session, campaign)
    source = "the sample's known qualities" if truth.exists() else "a stated text heuristic"
    note = f"{assignments} SIMULATED rankings, seen through noise from {source}"
    road.tell("rank", assignments, assignments, note, reused=not done.rankings, since=start)


def _agreement(road: Road, database: Database, name: str) -> AgreementSummary:
    start = time.monotonic()
    with database.read() as session:
        summary = agreement(session, find_campaign(session, name))
    note = (
        f"pairs ordered alike {share(summary.pair_agreement)}, alpha {figure(summary.alpha)}, "
        f"W {figure(summary.kendall_w)}; {len(summary.needs_adjudication)} prompts need a senior expert"
    )
    road.tell("agreement", summary.judgements, summary.judged_tasks, note, since=start)
    return summary


def _export(road: Road, database: Database, name: str, sources: list[Path], seed: int) -> Release:
    start = time.monotonic()
    inputs = [entry_of(path) for path in sources]
    with database.read() as session:
        release = export(session, find_campaign(session, name), road.folder / "release", seed=seed, inputs=inputs)
    note = (
        f"{release.pairs} preference pairs from {release.prompts} prompts "
        f"({release.train_prompts} train, {release.test_prompts} test); {release.undecided_pairs} pairs undecided"
    )
    road.tell("export", release.judgements, release.pairs, note, since=start)
    return release


def _reward(road: Road, seed: int, effort: Effort) -> RewardResult:
    from training.recipes import Lora, Model, RewardRecipe, parameters
    from training.reward import RewardResult, train_reward

    start = time.monotonic()
    release, folder, tiny = (road.folder / name for name in ("release", "reward_model", "tiny_model"))
    recipe = RewardRecipe(
        rankings=release / "rankings.jsonl",
        output=folder,
        model=Model(path=tiny),
        lora=Lora(rank=16, alpha=32),
        epochs=effort.reward_epochs,
        learning_rate=5e-3,
        max_tokens=512,
        seed=seed,
    )
    result, reused = road.run(
        "reward model",
        lambda: train_reward(recipe),
        RewardResult,
        inputs=[release, tiny],
        outputs=[folder],
        parameters=parameters(recipe),
    )
    told = result.metrics
    note = (
        f"loss {told.loss_first:.2f} -> {told.loss_last:.2f}; held-out pairs right {share(told.test_accuracy)} "
        f"of {told.test_pairs}"
    )
    road.tell("reward model", told.train_pairs + told.test_pairs, 1, note, reused=reused, since=start)
    return result


def _ppo(road: Road, prompts: Path, seed: int, effort: Effort) -> PPOResult:
    from training.policy import PPOResult
    from training.ppo import train_ppo
    from training.recipes import Lora, Model, PPORecipe, parameters

    start = time.monotonic()
    tiny, reward_model, folder = (road.folder / name for name in ("tiny_model", "reward_model", "policy"))
    recipe = PPORecipe(
        prompts=prompts,
        output=folder,
        model=Model(path=tiny),
        reward_model=reward_model,
        lora=Lora(rank=16, alpha=32),
        iterations=effort.ppo_iterations,
        episodes=32,
        epochs=3,
        learning_rate=3e-3,
        max_new_tokens=NEW_TOKENS,
        max_prompt_tokens=96,
        missing_end_score=None,
        seed=seed,
    )
    result, reused = road.run(
        "PPO",
        lambda: train_ppo(recipe),
        PPOResult,
        inputs=[prompts, tiny, reward_model],
        outputs=[folder],
        parameters=parameters(recipe),
    )
    told = result.metrics
    note = (
        f"mean reward on held-out prompts {told.reward_before:+.2f} -> {told.reward_after:+.2f}, "
        f"KL {told.kl:.1f} nats per answer"
    )
    road.tell("PPO", told.episodes, 1, note, reused=reused, since=start)
    return result
