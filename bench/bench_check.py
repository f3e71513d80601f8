"""Claims drawn from doctors' words: precision and recall on the hand-written statements, and speed."""

import tempfile
from pathlib import Path

import measure
import statements

COPIES = 20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        checker = statements.clinic(Path(folder) / "kg")
        print(f"{'part':>14} {'verdict':>14} {'claims':>7} {'precision':>10} {'recall':>7}")
        for name, part in statements.parts().items():
            for verdict, claims, precision, recall in statements.score(checker, part):
                print(f"{name:>14} {verdict:>14} {claims:>7} {precision:>10.3f} {recall:>7.3f}")
        texts = [text for part in statements.parts().values() for text, _ in part] * COPIES
        seconds = measure.cpu_seconds(lambda: [checker.check(text) for text in texts])
        print(
            f"\n{len(texts) / seconds:,.0f} statements, {sum(map(len, texts)) / seconds:,.0f} characters a CPU second"
        )


if __name__ == "__main__":
    main()
