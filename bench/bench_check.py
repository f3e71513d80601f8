"""Claims drawn from doctors' words: precision and recall on the hand-written statements, and speed."""

import tempfile
from pathlib import Path

import measure
import statements

COPIES = 20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkers, parts = statements.checkers(Path(folder)), statements.parts()
        print(f"{'part':>20} {'verdict':>14} {'claims':>7} {'precision':>10} {'recall':>7}")
        for name, part in parts.items():
            for verdict, claims, precision, recall in statements.score(checkers[part.graph], part):
                print(f"{name:>20} {verdict:>14} {claims:>7} {precision:>10.3f} {recall:>7.3f}")
        texts = [text for part in parts.values() if part.graph == "clinic" for text, _ in part.statements] * COPIES
        seconds = measure.cpu_seconds(lambda: [checkers["clinic"].check(text) for text in texts])
        print(
            f"\n{len(texts) / seconds:,.0f} statements, {sum(map(len, texts)) / seconds:,.0f} characters a CPU second"
        )


if __name__ == "__main__":
    main()
