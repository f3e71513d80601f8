"""Reports of mixes and texts: dataset cards in Markdown, from which `load_dataset` knows what to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corpus.mixing.shares import Allotment
from corpus.versioning.card import table

_HEAD = """\
---
language: zh
task_categories: [text-generation]
configs:
- config_name: default
  data_files: {rows}
---"""
_USE = """\
```python
from datasets import load_dataset
from trl import SFTTrainer

rows = load_dataset("path/to/this/folder", split="train")      # messages, kind, source, dialogue_id, file, line
SFTTrainer(model, train_dataset=rows)                          # reads the column messages
```"""


_READ = """\
```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")      # text, kind, about, id, places
```

TRL's SFTTrainer reads the column text as it is."""


def texts_card(
    name: str,
    texts: Mapping[str, int],
    characters: Mapping[str, int],
    sources: Mapping[str, int],
    rejected: Mapping[str, int],
    rows: str,
) -> str:
    """What a folder of texts holds of each kind, and what was left out."""
    kinds = [(kind, count, characters[kind]) for kind, count in texts.items()]
    sections = [
        _HEAD.format(rows=rows),
        f"# {name}",
        f"Texts to pre-train on: {sum(texts.values()):,}, with {sum(characters.values()):,} characters. "
        "Texts of the kind graph are triples in words, as true as the graph they come from.",
        table("Kinds", ("kind", "texts", "characters"), kinds),
        table("Documents", ("document", "texts"), list(sources.items()) or [("none", 0)]),
        table("Left out", ("reason", "rows"), list(rejected.items()) or [("nothing", 0)]),
        f"## Use\n\n{_READ}",
    ]
    return "\n\n".join(sections) + "\n"


def mix_card(
    name: str, kinds: Sequence[Allotment], sources: Mapping[str, int], rejected: Mapping[str, int], rows: str
) -> str:
    """What a mix holds of each kind, wanted, there and taken, and what was left out."""
    total = sum(kind.taken for kind in kinds)
    short = sum(kind.short for kind in kinds)
    told = f" {short:,} rows short of the shares asked for." if short else ""
    figures = (
        (kind.kind, f"{kind.share:.1%}", kind.wanted, kind.there, kind.cap or "", kind.taken, kind.short)
        for kind in kinds
    )
    made = ((kind.kind, f"{kind.taken / total:.1%}") for kind in kinds)
    sections = [
        _HEAD.format(rows=rows),
        f"# {name}",
        f"A mix of conversations for supervised fine-tuning: {total:,} rows.{told}",
        table("Kinds", ("kind", "share", "wanted", "there", "cap", "taken", "short"), figures),
        table("Shares as they came out", ("kind", "share"), made),
        table("Sources", ("source", "rows"), sources.items()),
        table("Left out", ("reason", "rows"), rejected.items() or [("nothing", 0)]),
        f"## Use\n\n{_USE}",
    ]
    return "\n\n".join(sections) + "\n"
