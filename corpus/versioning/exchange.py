"""A version as the library `datasets` reads it from disk, written without that library.

`load_dataset(folder)` follows the card to the Parquet file; `load_from_disk(folder)` wants Arrow streams, which it maps
into memory instead of reading them. Both give the one split `train`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.sets import arrow_batches
from corpus.tables import SCHEMA

SPLIT = "train"
_DATA = "data-00000-of-00001.arrow"


def write_for_datasets(folder: Path, source: Path, fingerprint: str) -> None:
    """Write the dialogues of `source` to `folder` as `DatasetDict.save_to_disk` lays them out."""
    split = folder / SPLIT
    split.mkdir()
    with pa.OSFile(str(split / _DATA), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
        for batch in arrow_batches(source):
            stream.write_batch(batch)
    state: dict[str, Any] = {
        "_data_files": [{"filename": _DATA}],
        "_fingerprint": fingerprint,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": SPLIT,
    }
    _write(folder / "dataset_dict.json", {"splits": [SPLIT]})
    _write(split / "state.json", state)
    _write(split / "dataset_info.json", {"description": "", "citation": "", "homepage": "", "license": ""})


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
