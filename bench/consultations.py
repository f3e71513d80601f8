"""Made-up names and consultations: both of the same words, so that names begin nearly everywhere and mostly break off.

A mention comes every 20 characters or so, as in real consultations (20.5 to one of 290,000 names).
"""

import csv
import json
import random
from itertools import accumulate
from pathlib import Path

WORDS = 8_000
_NAMES, _PLAIN = 5, 500
_CUES = (
    "没有",
    "否认",
    "不是",
    "可能是",
    "考虑",
    "是不是",
    "如果",
    "我妈有",
    "以前有",
    "去年",
    "现在",
    "我",
    "的",
    "吗",
)
_ENDINGS = "，，，，。。？、"


class Words:
    """Words of one to three of 2,500 characters; the common ones are very common (Zipf)."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        letters = self.rng.sample([chr(code) for code in range(0x4E00, 0x9FA0)], 2_500)
        weights = list(accumulate(1 / (rank + 10) for rank in range(len(letters))))
        sizes = self.rng.choices((1, 2, 3), (1, 6, 1), k=WORDS)
        self._words = ["".join(self.rng.choices(letters, cum_weights=weights, k=size)) for size in sizes]
        self._weights = {
            even: list(accumulate(1 / (rank + even) for rank in range(WORDS))) for even in (_NAMES, _PLAIN)
        }

    def some(self, count: int, even: int) -> str:
        """That many words, one after the other; the more `even`, the less common the common ones are."""
        return "".join(self.rng.choices(self._words, cum_weights=self._weights[even], k=count))


def names(count: int) -> list[str]:
    """Different names of two to four words, sorted."""
    words, found = Words(), set[str]()
    while len(found) < count:
        name = words.some(words.rng.randint(2, 4), _NAMES)
        if len(name) > 3:
            found.add(name)
    return sorted(found)


def consultations(known: list[str], characters: int) -> list[str]:
    """Turns of 30 to 200 characters, together at least `characters`."""
    words, turns, total = Words(), list[str](), 0
    rng = random.Random(1)
    while total < characters:
        turn, length = "", rng.randint(30, 200)
        while len(turn) < length:
            cue = rng.choice(_CUES) if rng.random() < 0.5 else ""
            turn += (
                words.some(rng.randint(5, 10), _PLAIN)
                + rng.choice(_ENDINGS)
                + cue
                + rng.choice(known)
                + rng.choice(_ENDINGS)
            )
        turns.append(turn)
        total += len(turn)
    return turns


def misspelt(known: list[str], count: int) -> list[tuple[str, str]]:
    """Names with one character changed, lost or doubled, beside what they were."""
    rng = random.Random(2)
    letters = sorted({letter for name in known for letter in name})
    pairs = []
    for name in rng.sample(known, count):
        place = rng.randrange(len(name))
        changed = name[:place] + rng.choice(["", rng.choice(letters), name[place] * 2]) + name[place + 1 :]
        pairs.append((changed, name))
    return pairs


def write_graph(folder: Path, known: list[str]) -> None:
    """A graph file and an alias file that together have the names: every third is an alias of the one before."""
    aliases = {name: known[at - 1] for at, name in enumerate(known) if at % 3 == 2}
    entities = [name for name in known if name not in aliases]
    with (folder / "graph.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            (name, "检查" if at % 2 else "治疗", f"项目{at % 50}") for at, name in enumerate(entities)
        )
    (folder / "aliases.json").write_text(json.dumps(aliases, ensure_ascii=False), encoding="utf-8")
