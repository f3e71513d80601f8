"""The report of a run: one page that says what happened at every stage, without a patient's word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.classification.report import about, course
from corpus.records import RankedPrompt
from corpus.report import content, graph, personal, rejects
from demo.figures import figure, share
from demo.road import STEPS, Travelled
from foundation import plots
from foundation.jsonl import read_records
from foundation.manifest import entry_of
from foundation.report import Block, Section, Tile, plot, table, write_page

SIMULATED = "六位专家均为程序模拟，并非临床医生。The six experts are simulated; no clinician ranked anything."
TINY = "模型是在本语料上训练的极小 Llama，只为走通全程。The model is a tiny Llama trained on this corpus: a stand-in."


def write_report(travelled: Travelled, path: Path) -> None:
    """Write the page to `path`."""
    parts: list[Callable[[Travelled], Section]] = [
        _funnel,
        lambda run: rejects(run.version),
        lambda run: personal(run.corpus),
        lambda run: graph(run.version),
        lambda run: about(run.version),
        lambda run: course(run.version),
        lambda run: content(run.version),
        _experts,
        _consensus,
        _reward,
        _policy,
        _files,
    ]
    write_page(
        path,
        title="仲景工坊 · 全程报告  Zhongjing: the road, end to end",
        subtitle=f"{travelled.version.name} · seed {travelled.seed}",
        notices=[SIMULATED, TINY],
        tiles=_tiles(travelled),
        sections=[part(travelled) for part in parts],
    )


def _tiles(travelled: Travelled) -> list[Tile]:
    read, kept = travelled.corpus[0].read, travelled.corpus[-1].kept
    reward, ppo = travelled.reward.metrics, travelled.ppo.metrics
    return [
        Tile(f"{read:,} → {kept:,}", "原始行 → 版本内对话  raw rows → dialogues in the version"),
        Tile(f"{travelled.release.pairs:,}", "偏好对  preference pairs"),
        Tile(share(travelled.agreement.pair_agreement), "模拟专家两两一致率  pairs ordered alike (simulated)"),
        Tile(share(reward.test_accuracy), "奖励模型留出准确率  held-out pair accuracy"),
        Tile(f"{ppo.reward_before:+.2f} → {ppo.reward_after:+.2f}", "PPO 前后平均奖励  mean reward before → after PPO"),
    ]


def _funnel(travelled: Travelled) -> Section:
    kept: dict[str, float] = {"raw rows": travelled.corpus[0].read}
    kept |= {STEPS.get(result.stage, result.stage): result.kept for result in travelled.corpus}
    rows = [
        (line.stage, line.into, line.out, line.note, "reused" if line.reused else f"{line.seconds:.1f} s")
        for line in travelled.lines
    ]
    return Section(
        "全程",
        "The road",
        "每一阶段的进出数量。What went into each stage and what came out.",
        [
            plot(plots.bars(kept, keep_order=True), "每步之后保留的对话  dialogues left after each step"),
            table(("stage", "in", "out", "result", "time"), rows, "阶段  stages"),
        ],
    )


def _experts(travelled: Travelled) -> Section:
    summary = travelled.agreement
    names = [expert.expert for expert in summary.experts]
    tau = {frozenset((pair.one, pair.other)): pair.tau_b for pair in summary.pairs}
    square = [[1.0 if one == other else tau.get(frozenset((one, other))) for other in names] for one in names]
    rows: list[tuple[Any, ...]] = [
        (
            f"{expert.expert} (simulated)" if expert.simulated else expert.expert,
            share(expert.stated_reliability),
            expert.ranked,
            share(expert.agreement),
            figure(expert.tau_b),
            figure(expert.median_seconds),
        )
        for expert in summary.experts
    ]
    heads = ("expert", "stated reliability", "ranked", "agrees with the others", "tau-b", "median seconds")
    intro = (
        f"Krippendorff's alpha {figure(summary.alpha)} (0.8 可靠 reliable, 0.667 暂定 tentative), Kendall's W "
        f"{figure(summary.kendall_w)}, {len(summary.needs_adjudication)} 题需资深专家裁定 prompts need a senior expert."
    )
    blocks = [table(heads, rows), plot(plots.heat_map(names, square), "两两 tau-b  tau-b between every two experts")]
    return Section("模拟专家的一致性", "Agreement of the simulated experts", intro, blocks)


def _consensus(travelled: Travelled) -> Section:
    ranked = list(read_records(travelled.folder / "release" / "rankings.jsonl", RankedPrompt))
    margins = [margin for row in ranked for margin in row.consensus.margins.values() if margin > 0]
    first: Counter[str] = Counter()
    for row in ranked:
        models = {response.output_id: response.model for response in row.responses}
        first.update(models[output_id] for output_id in row.consensus.tiers[0])
    release = travelled.release
    rows: list[tuple[Any, ...]] = [
        ("train", release.train_prompts, release.train_pairs),
        ("test", release.test_prompts, release.test_pairs),
    ]
    intro = (
        f"票数相等即并列，不臆造偏好：{release.undecided_pairs} 对未定。"
        "Where votes tie there is no preference. Train and test are split by prompt."
    )
    blocks = [
        table(("split", "prompts", "pairs"), rows),
        plot(plots.histogram(margins, "(wins - losses) / judgements"), "优势  margins of the preference pairs"),
        plot(plots.bars(first), "排在首位的次数  how often each source came first"),
    ]
    return Section("共识与导出", "Consensus and export", intro, blocks)


def _reward(travelled: Travelled) -> Section:
    told = travelled.reward.metrics
    curve = {"loss": [step.loss for step in travelled.reward.history]}
    low, high = told.test_accuracy_interval or (None, None)
    rows: list[tuple[Any, ...]] = [
        ("训练集准确率  training pairs right", share(told.train_accuracy)),
        ("留出集准确率  held-out pairs right", f"{share(told.test_accuracy)} ({share(low)} to {share(high)})"),
        ("只选更长的回答  choosing the longer answer", share(told.test_length_accuracy)),
        ("Kendall tau", figure(told.test_kendall_tau)),
    ]
    intro = "每题的全部成对比较同时计入损失，提示只编码一次。All pairs of a prompt at once, the prompt encoded once."
    blocks = [table(("figure", "value"), rows), plot(plots.lines(curve, "step", "loss"))]
    return Section("奖励模型", "Reward model", intro, blocks)


def _policy(travelled: Travelled) -> Section:
    told, history = travelled.ppo.metrics, travelled.ppo.history
    curves = {"reward": [step.reward for step in history]}
    spread = {"KL": [step.kl for step in history]}
    intro = (
        f"留出提示 {told.test_prompts} 个，每个 {told.samples} 次采样，前后同种子；误差线为 95% 区间。"
        "Same held-out prompts, decoding and seeds before and after; bars are 95 % intervals."
    )
    before, after = (
        (mean, (high - low) / 2)
        for mean, (low, high) in (
            (told.reward_before, told.reward_before_interval),
            (told.reward_after, told.reward_after_interval),
        )
    )
    blocks = [
        plot(plots.before_after(before, after)),
        plot(plots.lines(curves, "iteration", "mean reward"), "训练中的奖励  reward while learning"),
        plot(plots.lines(spread, "iteration", "nats per answer"), "与参考模型的 KL  KL to the reference"),
    ]
    return Section("PPO", "Policy", intro, blocks)


def _files(travelled: Travelled) -> Section:
    folder = travelled.folder
    named = ["kg", f"versions/{travelled.version.name}", "prompts.jsonl", "outputs.jsonl", "release", "reward_model"]
    entries = [entry_of(folder / name, name) for name in [*named, "policy"]]
    rows: list[tuple[Any, ...]] = [(entry.name, entry.bytes, entry.sha256) for entry in entries]
    intro = "同样的输入与种子得到同样的散列值。The same input and seed give the same hashes."
    blocks: list[Block] = [table(("name", "bytes", "SHA-256"), rows)]
    return Section("文件", "Files", intro, blocks)
