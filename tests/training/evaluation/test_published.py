"""Published tables, entered by hand, and their faults."""

from __future__ import annotations

from pathlib import Path

import pytest

import foundation.cli
import zhongjing
from training.evaluation.published import read_published

# The published form: whole or one-decimal percentages per ability, of which three cells do not sum to 100.
TABLE = """\
data,model,against,ability,Win,Tie,Lose
multi-turn,ours,A,safety,80,12,8
multi-turn,ours,A,professionalism,75.5,14.3,10.2
multi-turn,ours,A,fluency,70,20,11
multi-turn,ours,B,safety,66.7%,22.2%,11.0%
multi-turn,ours,B,professionalism,50,30,20
multi-turn,ours,B,fluency,5O,30,20
single-turn,ours,B,fluency,48,32,21
single-turn,ours,B,safety,120,-10,-10
multi-turn,ours,A,safety,81,11,8
"""
FAULTS = {4: "101", 5: "99.9", 7: "win", 8: "101", 9: "between", 10: "other numbers"}


def test_every_fault_is_pointed_out_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "published.csv"
    path.write_text(TABLE, "utf-8")
    assert foundation.cli.run(zhongjing.app, ["evaluate", "check-table", str(path)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{path}: 9 cells, 6 with a fault"
    told = {int(line.removeprefix(f"{path}:").split(":")[0]): line for line in lines}
    assert told.keys() == FAULTS.keys()
    for number, words in FAULTS.items():
        assert words in told[number]


def test_tenths_are_added_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(
        "- {维度: 安全, 胜: 33.4, 平: 33.3, 负: 33.3}\n- {维度: 流畅, 胜: 0.1, 平: 0.2, 负: 99.7}\n", "utf-8"
    )
    assert [cell.fault for cell in read_published(path)] == [None, None]
    assert [cell.line for cell in read_published(path)] == [1, 2]


def test_a_sound_table_ends_with_status_0(tmp_path: Path) -> None:
    path = tmp_path / "sound.tsv"
    path.write_text("win\ttie\tloss\n50\t25\t25\n", "utf-8")
    assert foundation.cli.run(zhongjing.app, ["evaluate", "check-table", str(path)]) == 0


@pytest.mark.parametrize("content", ["", "win,tie\n1,2\n", "a: b\n", "- x\n", "{"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("t.csv", "t.yaml"):
        (tmp_path / name).write_text(content, "utf-8")
        assert foundation.cli.run(zhongjing.app, ["evaluate", "check-table", str(tmp_path / name)]) == 2
        assert str(tmp_path / name) in capsys.readouterr().err
