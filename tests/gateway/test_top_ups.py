"""What operators are told of top-ups, and what they may book."""

from pathlib import Path
from typing import Any

from tests.gateway.exchange import Exchange
from tests.gateway.money import ETHER, PAYEE, MadeUpTreasury, act, client, open_bank

from seawall.model.funding import Vault
from seawall.model.funding_commands import BookCapital
from seawall.model.ids import AssetCode

APPLY = "/sapi/v1/capital/withdraw/apply"
AT = "/seawall/v1/operator/funding/top-ups"


async def shown(bank: Exchange) -> list[dict[str, Any]]:
    answer = await bank.client.get(AT, headers=bank.operator_headers)
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["topUps"]
    return rows


async def booked(bank: Exchange, **body: str) -> tuple[int, dict[str, Any]]:
    answer = await bank.client.post(AT, headers=bank.operator_headers, json=body)
    return answer.status_code, answer.json()


async def test_a_top_up_is_wanted_sent_and_booked_once(tmp_path: Path) -> None:
    async with open_bank(tmp_path) as bank:
        treasury = bank.app.context.addresses
        assert isinstance(treasury, MadeUpTreasury)
        for vault, atoms in ((Vault.HOT, -97 * ETHER), (Vault.COLD, 50 * ETHER)):
            await act(
                bank,
                BookCapital(
                    network="ETH",
                    asset=AssetCode("ETH"),
                    vault=vault,
                    atoms=atoms,
                    reference=vault,
                    person="ann",
                ),
            )
        assert await shown(bank) == []
        alice = await client(bank, "alice", ETH="10")
        order: dict[str, Any] = {"coin": "ETH", "address": PAYEE, "amount": "5"}
        assert (await bank.signed("POST", APPLY, alice, **order)).status_code == 200
        (row,) = await shown(bank)
        assert {name: row[name].rstrip("0") for name in ("hot", "wanted", "cold")} == {
            "hot": "3.",
            "wanted": "1.99",
            "cold": "50.",
        }
        assert (row["waiting"], row["to"]) == (1, "hot wallet of ETH")
        wanted = {"network": "ETH", "transaction": "0xt", "person": "ann"}
        status, answer = await booked(bank, **wanted)
        assert (status, answer["code"]) == (400, -1130)
        assert "no such transaction" in answer["msg"]
        treasury.sent["0xt"] = 2 * ETHER
        status, answer = await booked(bank, **{**wanted, "person": " "})
        assert (status, answer["code"]) == (400, -1130)
        for _ in range(2):
            assert await booked(bank, **wanted) == (200, {"asOf": answer_time(bank), "topUps": []})
        assert bank.node.funding.held_in("ETH", Vault.HOT, "ETH") == 5 * ETHER
        denied = await bank.client.post(AT, json=wanted)
        assert denied.status_code == 403


def answer_time(bank: Exchange) -> int:
    return bank.node.funding.at_ns // 1_000_000


async def test_without_a_treasury_nothing_is_booked(tmp_path: Path) -> None:
    async with open_bank(tmp_path, treasury=False) as bank:
        body = {"network": "ETH", "transaction": "0xt", "person": "ann"}
        status, answer = await booked(bank, **body)
        assert (status, answer["code"]) == (503, -4019)
