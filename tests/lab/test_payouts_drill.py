"""The payouts drill, at its shortest: real processes, really killed, on a real chain."""

import json
from pathlib import Path

import pytest

from seawall.lab.drills import DRILLS, DrillOptions

SEED = 262
"""The chain node dies when something is signed, exchange and signer when something is prepared."""


@pytest.mark.slow
async def test_two_rounds_pay_each_withdrawal_once_and_say_so(tmp_path: Path) -> None:
    options = DrillOptions(rounds=2, withdrawals=30, seed=SEED)
    report = await DRILLS["payouts"].perform(options, tmp_path)
    broken = [promise for promise in report.promises if not promise.held]
    assert broken == []

    written = json.loads((tmp_path / "report.json").read_bytes())
    assert written["drill"] == "payouts"
    assert written["held"] is True
    assert (written["double"], written["lost"], written["waiting"]) == (0, 0, 0)
    assert written["requested"] + written["refused"] == 30
    assert written["paid"] + written["returned"] == written["requested"]
    assert written["paid"] > 15
    assert set(written["killed"]) >= {"exchange", "signer", "chain"}
    assert "Every promise held." in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "data").exists()
