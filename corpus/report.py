"""The report of a corpus run: one page that shows what happened to the dialogues on their way to a version.

Texts on the page come from sets that are de-identified already, never from raw files; a curator who wants none at
all leaves them out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
from markupsafe import Markup, escape

from corpus.classification.report import about, course
from corpus.deduplication.differences import Piece, differences
from corpus.deduplication.duplicates import DUPLICATES, Duplicate
from corpus.records import Dialogue
from corpus.sets import DIALOGUES, REJECTS, SAMPLES, StageResult, read_some
from corpus.turns import spoken
from foundation import plots
from foundation.jsonl import read_records
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects
from foundation.report import Section, Tile, plot, table, write_page

SHOWN = 40
PAIRS = 6
EXCERPT = 160
UNKNOWN = "unknown"

NAMES = {"import": "read", "deidentify": "de-identify", "dedup": "deduplicate"}
_AFTER_DEIDENTIFICATION = {"filter": "deidentify", "dedup": "filter", "match": "dedup"}


def write_report(out: Path, results: Sequence[StageResult], version: Path, *, texts: bool = True) -> Path:
    """Write `report.html` for a run under `out` that led to `version`; without `texts` it quotes nobody."""
    path = out / "report.html"
    work = out / "work"
    parts = [
        funnel(results),
        rejects(version, results, work if texts else None),
        duplicates(work, texts=texts),
        personal(results),
        *([graph(version)] if any(result.stage == "match" for result in results) else []),
        *([about(version), course(version)] if any(result.stage == "classify" for result in results) else []),
        content(version),
    ]
    write_page(
        path,
        title="仲景工坊 · 语料报告  Zhongjing: corpus report",
        subtitle=f"{version.name} · {read_manifest(version).sha256[:16]}",
        notices=[_NOTICE] if texts else [],
        tiles=_tiles(results),
        sections=[part for part in parts if part is not None],
    )
    return path


_NOTICE = (
    "本页摘录均取自去标识化之后的文本，仍请勿外传。Excerpts on this page are taken after de-identification; "
    "no rule finds everything, so keep the page in the house (`texts: false` in the recipe leaves them out)."
)


def funnel(results: Sequence[StageResult]) -> Section:
    """How many dialogues were left after each step."""
    kept: dict[str, float] = {"raw rows": results[0].read}
    kept |= {NAMES.get(result.stage, result.stage): result.kept for result in results}
    rows = [
        (NAMES.get(result.stage, result.stage), result.read, result.kept, result.read - result.kept)
        for result in results
    ]
    blocks = [
        plot(plots.bars(kept, keep_order=True), "每步之后保留的对话  dialogues left after each step"),
        table(("step", "in", "out", "left out"), rows, "步骤  steps"),
    ]
    return Section("漏斗", "Funnel", "每一步的进出数量。What went into each step and what came out.", blocks)


def rejects(version: Path, results: Sequence[StageResult] = (), work: Path | None = None) -> Section:
    """What was left out, by reason, with samples: places always, de-identified words where `work` is given."""
    every = Counter[str]()
    shown: list[tuple[str, ...]] = []
    for reject in read_rejects(version / REJECTS):
        every[f"{reject.stage}: {reject.reason}"] += 1
        if len(shown) < SHOWN:
            shown.append((reject.stage, reject.reason, f"{reject.file}:{reject.line}", reject.detail))
    blocks = [plot(plots.bars(every, color=plots.WARM))] if every else []
    samples = list(_samples(results, work)) if work is not None else []
    if samples:
        blocks.append(table(("step: reason", "id", "excerpt"), samples, "各原因样例  samples by reason"))
    if shown:
        heading = f"前 {len(shown)} 条，共 {every.total():,}  first of {every.total():,}, all in rejects.jsonl"
        blocks.append(table(("step", "reason", "file:line", "detail"), shown, heading))
    intro = "没有一行被无声丢弃：每条都有原因、文件与行号。Nothing is dropped without a reason, a file and a line."
    return Section("剔除", "Rejects", intro, blocks)


def duplicates(work: Path, *, texts: bool = True) -> Section | None:
    """How alike the copies were, and some of them beside their keepers; None where nothing was compared."""
    path = work / "dedup" / DUPLICATES
    if not path.is_file():
        return None
    rows = list(read_records(path, Duplicate))
    similarities = [row.similarity for row in rows if row.removed is not None]
    flagged = [row for row in rows if row.flagged is not None]
    blocks = [plot(plots.histogram(similarities, "similarity to the keeper"), "相似度  similarity")] if rows else []
    if texts and rows:
        blocks.append(
            table(("", "留下  keeper", "另一条  the other"), list(_side_by_side(rows, work)), "并排对照  side by side")
        )
    intro = (
        f"移除 {len(similarities):,} 条，每条都与留下的那条逐字核对；{len(flagged):,} 对因数字不同等原因只作标记。"
        "Every removal was compared with its own keeper; pairs that differ in a number and the like are only flagged."
    )
    return Section("重复", "Duplicates", intro, blocks)


def personal(results: Sequence[StageResult]) -> Section:
    """What was replaced, by kind."""
    counts = {
        kind: value
        for result in results
        if result.stage == "deidentify"
        for kind, value in result.details.items()
        if isinstance(value, int) and value
    }
    intro = "被替换为代号的个人信息，按类别计数；原文不出现。Personal data replaced by surrogates, by kind."
    blocks = [plot(plots.bars(counts)), table(("kind", "replaced"), list(counts.items()))] if counts else []
    return Section("去标识化", "De-identification", intro, blocks)


def graph(version: Path) -> Section:
    """How far the graph covers the dialogues, and what it says of the doctors' statements."""
    reports = pl.scan_parquet(version / DIALOGUES).select(pl.col("kg").struct.unnest()).drop_nulls("coverage")
    verdicts = ("supported", "contradicted", "unknown")
    counts = reports.select(pl.col(verdicts).sum()).collect().row(0, named=True)
    coverage = reports.select("coverage").collect()["coverage"].to_numpy()
    triples = (
        reports.select(pl.col("contradictions").explode())
        .drop_nulls()
        .select(pl.col("contradictions").list.join("\t"))
        .collect()["contradictions"]
        .to_list()
    )
    blocks = [
        plot(plots.bars(counts, keep_order=True), "医生陈述的判定  verdicts on doctors' statements"),
        plot(
            plots.histogram(coverage, "share of turns beyond courtesy that name an entity"),
            "图谱覆盖  coverage by dialogue",
        ),
    ]
    if triples:
        rows = [(*triple.split("\t"), count) for triple, count in Counter(triples).most_common(SHOWN)]
        heads = ("subject", "relation", "object", "dialogues")
        blocks.append(table(heads, rows, "与图谱矛盾  contradicted by the graph (for review, not removed)"))
    intro = "缺失不等于矛盾。Absence from the graph is 'unknown'; a contradiction needs positive evidence."
    return Section("知识图谱核对", "Checked against the graph", intro, blocks)


def content(version: Path) -> Section:
    """What the version holds: departments, turns, lengths."""
    departments = read_manifest(version).counts["departments"]
    sizes = (
        pl.scan_parquet(version / DIALOGUES)
        .select(
            pl.col("messages").list.len().alias("turns"),
            pl.col("messages")
            .list.eval(pl.element().struct.field("content").str.len_chars())
            .list.sum()
            .alias("characters"),
        )
        .collect()
    )
    blocks = [
        plot(plots.bars(departments), "科室  departments"),
        plot(plots.histogram(sizes["turns"].to_numpy(), "turns"), "每段对话的轮次  turns per dialogue"),
        plot(plots.histogram(sizes["characters"].to_numpy(), "characters"), "长度  characters per dialogue"),
    ]
    intro = "冻结后不再改变的版本。The frozen version; it never changes again."
    return Section("数据版本", f"Version {version.name}", intro, blocks)


def _tiles(results: Sequence[StageResult]) -> list[Tile]:
    by_stage = {result.stage: result for result in results}
    replaced = sum(value for value in by_stage["deidentify"].details.values() if isinstance(value, int))
    tiles = [
        Tile(f"{results[0].read:,} → {results[-1].kept:,}", "原始行 → 版本内对话  raw rows → dialogues in the version"),
        Tile(f"{sum(by_stage['dedup'].rejected.values()):,}", "移除的重复  duplicates removed"),
        Tile(f"{replaced:,}", "替换的个人信息  personal data replaced"),
    ]
    if "match" in by_stage:
        coverage, against = by_stage["match"].mean("coverage"), by_stage["match"].details.get("contradicted", 0)
        tiles.append(Tile(f"{coverage or 0:.0%}", "提到图谱实体的话轮  turns that name an entity"))
        tiles.append(Tile(f"{against:,}", "与图谱矛盾的陈述  statements the graph contradicts"))
    if "classify" in by_stage:
        tiles.append(
            Tile(f"{by_stage['classify'].mean('inquiry') or 0:.0%}", "主动提问的医生话轮  doctor turns that ask")
        )
    return tiles


def _samples(results: Iterable[StageResult], work: Path) -> Iterator[tuple[str, str, str]]:
    for result in results:
        before = _AFTER_DEIDENTIFICATION.get(result.stage)
        if before is None or not result.samples:
            continue
        found = read_some(work / before, {name for names in result.samples.values() for name in names})
        for reason, names in result.samples.items():
            for name in names:
                if name in found:
                    yield f"{result.stage}: {reason}", name, _excerpt(found[name])


def _excerpt(dialogue: Dialogue) -> str:
    text = spoken(dialogue)
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "……"


def _side_by_side(rows: Sequence[Duplicate], work: Path) -> Iterator[tuple[Markup, Markup, Markup]]:
    """The least alike and the flagged first, for they are the ones to look at; then some of the others."""
    near = sorted((row for row in rows if row.removed is not None), key=lambda row: row.similarity)
    flagged = sorted((row for row in rows if row.flagged is not None), key=lambda row: row.similarity)
    step = max(1, len(near) // SAMPLES)
    chosen = [*near[:PAIRS], *flagged[:PAIRS], *near[PAIRS::step][:SAMPLES]]
    found = read_some(work / "filter", {name for row in chosen for name in (row.keeper, _other(row))})
    for row in chosen:
        keeper, other = (found.get(name) for name in (row.keeper, _other(row)))
        if keeper is not None and other is not None:
            left, right = differences(spoken(keeper), spoken(other))
            told = f"{row.similarity:.2f}\n{row.reason}\n{row.keeper}\n{_other(row)}"
            yield Markup("<small>{}</small>").format(told), _marked(left), _marked(right)


def _other(row: Duplicate) -> str:
    return row.removed or row.flagged or ""


def _marked(pieces: Sequence[Piece]) -> Markup:
    return Markup("").join(
        Markup("<mark>{}</mark>").format(text) if differs else escape(text) for text, differs in pieces
    )
