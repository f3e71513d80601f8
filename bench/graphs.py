"""A made-up graph as large as CMeKG 2.0: names of Han characters, a few hubs and many leaves."""

import json
from pathlib import Path

import numpy as np

ENTITIES, TRIPLES, NAMES = 100_000, 1_560_000, 1_000_000
_KINDS = (("适应症", 0, 1), ("禁忌", 0, 1), ("不良反应", 0, 2), ("临床表现", 1, 2), ("检查", 1, 3), ("并发症", 1, 1))
_SHARES = (0.25, 0.45, 0.8, 1.0)


def write_graph(folder: Path, entities: int = ENTITIES, triples: int = TRIPLES, names: int = NAMES) -> None:
    """Write `triples.csv` and `aliases.json`: drugs, diseases, symptoms and examinations, `names` names in all."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    words = _words(rng, names)
    rows = _rows(rng, entities, triples)
    with (folder / "triples.csv").open("w", encoding="utf-8") as stream:
        stream.write("head,relation,tail\n")
        for subject, kind, target in rows.tolist():
            stream.write(f"{words[subject]},{_KINDS[kind][0]},{words[target]}\n")
    owners = rng.integers(0, entities, max(0, names - entities)).tolist()
    aliases = {alias: words[owner] for alias, owner in zip(words[entities:], owners, strict=True)}
    (folder / "aliases.json").write_text(json.dumps(aliases, ensure_ascii=False, indent=0), encoding="utf-8")


def _words(rng: np.random.Generator, count: int) -> list[str]:
    """That many different names of 3 to 9 everyday characters."""
    characters = [chr(code) for code in rng.permutation(np.arange(0x4E00, 0x9FA0))[:2500]]
    words: dict[str, None] = {}
    while len(words) < count:
        for row in rng.integers(0, len(characters), (count // 4 + 10, rng.integers(3, 10))).tolist():
            words["".join(characters[place] for place in row)] = None
    return list(words)[:count]


def _rows(rng: np.random.Generator, entities: int, triples: int) -> np.ndarray:
    """That many different (subject, kind, object); objects follow a power law, as symptoms do."""
    starts = np.array([0, *_SHARES]) * entities
    found = np.empty((0, 3), dtype=np.int64)
    while len(found) < triples:
        kind = rng.integers(0, len(_KINDS), triples)
        ends = []
        for side, power in ((1, 1.0), (2, 3.0)):
            group = np.array([row[side] for row in _KINDS])[kind]
            low, high = starts[group], starts[group + 1]
            ends.append((low + (high - low) * rng.random(triples) ** power).astype(np.int64))
        fresh = np.stack([ends[0], kind, ends[1]], axis=1)[ends[0] != ends[1]]
        found = np.unique(np.concatenate([found, fresh]), axis=0)
    return found[np.sort(rng.permutation(len(found))[:triples])]
