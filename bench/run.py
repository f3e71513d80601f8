"""`make bench`: every measurement of the project, one after the other, each in a process of its own.

python bench/run.py [NAME…]
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    chosen = sys.argv[1:] or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    failed = []
    for name in chosen:
        print(f"\n== {name} " + "=" * (70 - len(name)), flush=True)
        if subprocess.run([sys.executable, HERE / f"bench_{name}.py"]).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
