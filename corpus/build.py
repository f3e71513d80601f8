"""All steps in a row, by a recipe; what an earlier run left complete is reused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from glob import glob
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import yaml

from corpus.classification.classifier import KIND as CLASSIFIER
from corpus.classification.classify import ClassifyOptions, classify
from corpus.decisions import decide
from corpus.deduplication.dedup import THRESHOLD, dedup
from corpus.engines import LOCAL, running_on
from corpus.filters import FilterOptions, filter_dialogues
from corpus.importing import import_files
from corpus.matching import match
from corpus.normalise import normalise
from corpus.privacy.deidentify import deidentify
from corpus.privacy.originals import load_key, originals_beside, refuse_inside, seal
from corpus.rewriting.rewrite import rewrite
from corpus.rewriting.rewrites import RewriteStep
from corpus.sets import GRAPH_KIND, StageResult
from corpus.versioning.origins import Origins
from corpus.versioning.versions import check_name, freeze
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.manifest import code_version, entry_of, read_manifest


class DedupOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`threshold` is the Jaccard similarity from which two dialogues count as copies; `prefer` names better sources.

    `against` is a frozen version, `exclude` a test set (raw file, set or version): what is like theirs goes. Their
    paths are relative to the recipe's folder.
    """

    threshold: Annotated[float, msgspec.Meta(gt=0, le=1)] = THRESHOLD
    prefer: list[str] = []
    against: str | None = None
    exclude: str | None = None


class DeidentifyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tagger` names a tagger that finds more names, see `corpus.privacy.tagger`."""

    tagger: str | None = None


class DecideOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`decisions` is a file of what people decided in a review, see `corpus.decisions`; relative to the recipe."""

    decisions: str | None = None


class FreezeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`parents` are versions that this one grew from; `origins` say licence and consent of each source."""

    parents: list[str] = []
    origins: Origins = {}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the steps that have any."""

    deidentify: DeidentifyOptions = DeidentifyOptions()
    filter: FilterOptions = FilterOptions()
    dedup: DedupOptions = DedupOptions()
    decide: DecideOptions = DecideOptions()
    classify: ClassifyOptions = ClassifyOptions()
    rewrite: RewriteStep | None = None
    freeze: FreezeOptions = FreezeOptions()


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `corpus build` reads. Paths are relative to the recipe's folder; `inputs` may be patterns.

    `graph` is the folder of a built graph or a list of files to build one from, with `aliases`. Without `texts` the
    report quotes nobody.
    """

    name: str
    inputs: list[str]
    out: str
    graph: str | list[str] | None = None
    aliases: str | None = None
    texts: bool = True
    options: Options = Options()


class Built(NamedTuple):
    """What `build` made: the results of all steps, the folder of the version, the page about it, sealed originals."""

    results: list[StageResult]
    version: Path
    report: Path
    originals: Path | None


OnStage = Callable[[StageResult], None]


def run_chain(
    files: Sequence[Path],
    graph: Path | None,
    out: Path,
    name: str,
    *,
    options: Options | None = None,
    names: Sequence[str] | None = None,
    processes: int | None = None,
    on_stage: OnStage | None = None,
) -> list[StageResult]:
    """Import, normalise, de-identify, filter, deduplicate, apply decisions, match, classify, rewrite and freeze.

    Each step leaves a folder under `out/work`; the version is `out/versions/<name>-v<N>`. A step whose inputs and
    parameters are those of an earlier run is reused. Without a graph there is no matching, without
    `options.rewrite` no rewriting. `on_stage` is called after each step.
    """
    results: list[StageResult] = []
    for result in _steps(files, graph, out, name, options or Options(), names, processes):
        results.append(result)
        if on_stage is not None:
            on_stage(result)
    return results


def build(
    recipe: Path,
    *,
    engine: str = LOCAL,
    key: Path | None = None,
    processes: int | None = None,
    on_stage: OnStage | None = None,
) -> Built:
    """Run a recipe, see `Recipe` and `run_chain`, and write `report.html` beside the version.

    `engine` says where the steps run, see `corpus.engines`; it shows in no byte of what they write. With a `key` the
    original turns are sealed beside it, see `corpus.privacy.originals`.
    """
    from corpus.report import write_report

    read = read_recipe(recipe)
    base = recipe.parent
    out = base / read.out
    inputs = inputs_of(read, recipe)
    if key is not None:
        refuse_inside(key, out)
        load_key(key, make=True)
    with running_on(engine):
        results = run_chain(
            [base / name for name in inputs],
            _graph(read, base, out),
            out,
            read.name,
            options=_placed(read.options, base),
            names=inputs,
            processes=processes,
            on_stage=on_stage,
        )
    originals = None if key is None else _sealed(out / "work", key, read.name)
    version = out / "versions" / str(results[-1].details["version"])
    return Built(results, version, write_report(out, results, version, texts=read.texts), originals)


def _sealed(work: Path, key: Path, name: str) -> Path:
    """The file of what de-identification replaced, made anew."""
    originals = originals_beside(key, Path(name))
    seal(work / "normalise", work / "deidentify", key, originals)
    return originals


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file; an unknown or missing key is an error that names it."""
    try:
        content = yaml.safe_load(existing_file(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ZhongjingError("this is not YAML", where=_place(path, error)) from error
    try:
        recipe = msgspec.convert(content, Recipe)
    except msgspec.ValidationError as error:
        hint = f"known keys: {', '.join(Recipe.__struct_fields__)}; those of options stand in docs/curation.md"
        raise ZhongjingError(f"this recipe is wrong: {error}", where=path, hint=hint) from error
    if not recipe.inputs:
        raise ZhongjingError("this recipe names no inputs", where=path)
    if recipe.aliases is not None and not isinstance(recipe.graph, list):
        raise ZhongjingError("aliases go with a graph given as a list of files", where=path)
    return recipe


def _steps(
    files: Sequence[Path],
    graph: Path | None,
    out: Path,
    name: str,
    options: Options,
    names: Sequence[str] | None,
    processes: int | None,
) -> Iterator[StageResult]:
    check_name(name)
    if graph is not None:
        read_manifest(graph, GRAPH_KIND)
    if options.rewrite is not None and graph is None:
        raise ZhongjingError("rewriting needs a graph to check facts with", hint="name a graph in the recipe")
    if options.classify.model is not None:
        read_manifest(Path(options.classify.model), CLASSIFIER)
    work = out / "work"
    how: Any = {"processes": processes, "reuse": True}
    yield import_files(files, work / "import", names=names, **how)
    yield normalise(work / "import", work / "normalise", **how)
    yield deidentify(work / "normalise", work / "deidentify", graph=graph, tagger=options.deidentify.tagger, **how)
    yield filter_dialogues(work / "deidentify", work / "filter", options=options.filter, **how)
    yield dedup(
        work / "filter",
        work / "dedup",
        threshold=options.dedup.threshold,
        prefer=options.dedup.prefer,
        against=_path(options.dedup.against),
        exclude=_path(options.dedup.exclude),
        reuse=True,
    )
    last = work / "dedup"
    if options.decide.decisions is not None:
        yield decide(last, Path(options.decide.decisions), work / "decide", **how)
        last = work / "decide"
    if graph is not None:
        yield match(last, graph, work / "match", rebuild=True, **how)
        last = work / "match"
    yield classify(last, work / "classify", graph=graph, options=options.classify, **how)
    last = work / "classify"
    if options.rewrite is not None and graph is not None:
        yield rewrite(last, graph, work / "rewrite", options.rewrite.endpoint, options=options.rewrite, reuse=True)
        last = work / "rewrite"
    yield freeze(last, out / "versions", name, parents=options.freeze.parents, origins=options.freeze.origins)


def _placed(options: Options, base: Path) -> Options:
    """The options with their paths seen from here rather than from the recipe's folder."""
    return msgspec.structs.replace(
        options,
        dedup=_placed_paths(options.dedup, ("against", "exclude"), base),
        decide=_placed_paths(options.decide, ("decisions",), base),
        classify=_placed_paths(options.classify, ("model",), base),
        rewrite=_placed_paths(options.rewrite, ("style",), base) if options.rewrite is not None else None,
    )


def _placed_paths(options: Any, names: Sequence[str], base: Path) -> Any:
    named = {name: getattr(options, name) for name in names}
    return msgspec.structs.replace(options, **{name: str(base / path) for name, path in named.items() if path})


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def inputs_of(recipe: Recipe, path: Path) -> list[str]:
    """The recipe's inputs with patterns such as `raw/*.csv` filled in, by name."""
    found: list[str] = []
    for name in recipe.inputs:
        if not any(mark in name for mark in "*?["):
            found.append(name)
            continue
        matches = sorted(glob(name, root_dir=path.parent, recursive=True))  # noqa: PTH207 (patterns may be absolute)
        if not matches:
            raise ZhongjingError(f"no file matches {name}", where=path, hint="check the recipe's inputs")
        found += (name for name in matches if name not in found)
    for name in found:
        existing_file(path.parent / name)
    return found


def _graph(recipe: Recipe, base: Path, out: Path) -> Path | None:
    if recipe.graph is None or isinstance(recipe.graph, str):
        return base / recipe.graph if recipe.graph is not None else None
    from kg.building.build import build_graph

    files = [existing_file(base / name) for name in recipe.graph]
    aliases = existing_file(base / recipe.aliases) if recipe.aliases is not None else None
    folder = out / "kg"
    if not _is_built_from(folder, [*files, *([aliases] if aliases else [])]):
        build_graph(files, folder, aliases=aliases, names=recipe.graph)
    return folder


def _is_built_from(folder: Path, files: Sequence[Path]) -> bool:
    try:
        manifest = read_manifest(folder, GRAPH_KIND)
    except ZhongjingError:
        return False
    same = [entry.sha256 for entry in manifest.inputs] == [entry_of(file).sha256 for file in files]
    return same and manifest.code_version == code_version()


def _place(path: Path, error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}" if mark is not None else str(path)
