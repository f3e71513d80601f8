"""How far the linker agrees with the labelled sentences, and what the threshold for misspelt names costs and gains."""

import tempfile
from pathlib import Path

from kg.building.build import build_graph
from kg.graph import KnowledgeGraph
from kg.linking.fuzzy import THRESHOLD
from kg.linking.labelled import Scores, read_labelled, score
from kg.linking.linker import EntityLinker

FOLDER = Path(__file__).parents[1] / "tests" / "kg" / "labelled"
THRESHOLDS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "kg"
        build_graph([FOLDER / "graph.csv"], graph, aliases=FOLDER / "aliases.json")
        opened = KnowledgeGraph.open(graph)
        for half in ("develop", "held_out"):
            sentences = read_labelled(FOLDER / f"{half}.txt")
            print(f"\n{half}: {len(sentences)} sentences")
            _print(score(EntityLinker(opened, fuzzy=True), sentences))
            print(f"{'threshold':>10} {'precision':>10} {'recall':>8} {'f1':>8}")
            for threshold in THRESHOLDS:
                fuzzy = score(EntityLinker(opened, fuzzy=True, threshold=threshold), sentences).fuzzy
                mark = " *" if threshold == THRESHOLD else ""
                print(f"{threshold:>10} {fuzzy.precision:>10.3f} {fuzzy.recall:>8.3f} {fuzzy.f1:>8.3f}{mark}")


def _print(scores: Scores) -> None:
    print(f"{'':>10} {'precision':>10} {'recall':>8} {'f1':>8} {'accuracy':>9}")
    for name, counts in (("exact", scores.exact), ("fuzzy", scores.fuzzy)):
        print(f"{name:>10} {counts.precision:>10.3f} {counts.recall:>8.3f} {counts.f1:>8.3f}")
    for name, counts in scores.flags.items():
        accuracy = scores.accuracy(name)
        print(f"{name:>10} {counts.precision:>10.3f} {counts.recall:>8.3f} {counts.f1:>8.3f} {accuracy:>9.3f}")


if __name__ == "__main__":
    main()
