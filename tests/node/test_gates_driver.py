"""What measures for gates goes on, whatever does not answer it."""

import asyncio
from pathlib import Path

import pytest
from tests.node.market import open_node, set_up

from seawall.model.control_rows import Plan, ServiceRow, StageRow
from seawall.model.ids import AssetCode
from seawall.model.posture import Posture, Stage, withdrawal_service
from seawall.node import gates_driver

SERVICE = withdrawal_service(AssetCode("ETH"), "ETH")


async def test_a_comparison_that_hangs_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates_driver, "RECONCILE_S", 0.01)
    monkeypatch.setattr(gates_driver, "COMPARE_S", 0.05)
    node = await open_node(tmp_path)
    await set_up(node)
    driver = gates_driver.GatesDriver(node)
    asked = asyncio.Semaphore(0)

    async def hang() -> None:
        asked.release()
        await asyncio.Event().wait()

    driver.reconcile = hang
    book = node.control.book
    row = ServiceRow(service=SERVICE, posture=Posture.PAUSED, plan=1)
    stage = StageRow(stage=Stage.PAUSED, entered_ns=1)
    book.services[SERVICE] = row
    book.plans[1] = Plan(
        plan_id=1, incident=1, services=[SERVICE], kind="withdrawal", begun_ns=1, stages=[stage]
    )
    driver.start()
    try:
        async with asyncio.timeout(60):
            for _ in range(3):
                await asked.acquire()
    finally:
        await driver.stop()
        del book.services[SERVICE], book.plans[1]
        await node.close()
