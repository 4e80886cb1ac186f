"""Cold storage's payments by hand: read from the chain, booked once, and then nothing differs."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.core.funding_desk import ETH, FINALITY, USDT, FundingDesk
from tests.treasury.evm_scene import ETHER, Scene
from tests.treasury.signer.vault_keys import HOT

from seawall.core.top_ups import top_ups
from seawall.lab.devchain import DevChain
from seawall.model import funding_commands as f
from seawall.model.funding import ServiceStatus, Vault
from seawall.node.node import Node
from seawall.node.settings import NodeSettings
from seawall.treasury.chain import Block, Payment, Receipt
from seawall.treasury.driver import NetworkSettings, NetworkTreasury
from seawall.treasury.payouts import PayoutSettings
from seawall.treasury.reconciler import Wallets
from seawall.treasury.sweeps import SweepSettings
from seawall.treasury.top_ups import TopUpError, record_top_up

WALLETS = Wallets(hot=("hot1", "hot2"), cold=("cold",))


def paid(units: int, *, to: str = "hot1", by: str = "cold", contract: str = "") -> Payment:
    return Payment(
        tx_id="t",
        output=0,
        address=to,
        contract=contract,
        units=units,
        stated_units=units,
        source=by,
    )


RECEIPT = Receipt(tx_id="t", block=10, block_id="b10", ok=True, cost=3, payments=(paid(70),))
HEAD = Block(number=10 + FINALITY - 1, id="h", parent_id="g", at_ns=1)


def read(receipt: Receipt, head: Block = HEAD) -> list[f.RecordTopUp]:
    return record_top_up(FundingDesk().state, "NET", WALLETS, receipt, head, "ann")


def test_amounts_and_cost_are_the_chains() -> None:
    both = (paid(70), paid(5, to="hot2"), paid(4, contract="token"), paid(9, to="elsewhere"))
    coin, token = read(replace(RECEIPT, payments=both))
    assert (coin.asset, coin.atoms, coin.cost) == (ETH, 75, 3)
    assert (token.asset, token.atoms, token.cost) == (USDT, 40, 0), "the cost is booked once"
    assert (coin.tx_id, coin.confirmations, coin.person) == ("t", FINALITY, "ann")


@pytest.mark.parametrize(
    ("receipt", "head", "why"),
    [
        (replace(RECEIPT, ok=False), HEAD, "it moved nothing"),
        (RECEIPT, replace(HEAD, number=11), "not final yet: 2 of 3"),
        (replace(RECEIPT, payments=(paid(70, by="stranger"),)), HEAD, "nothing that is listed"),
        (replace(RECEIPT, payments=(paid(70, to="user"),)), HEAD, "nothing that is listed"),
        (replace(RECEIPT, payments=(paid(7, contract="odd"),)), HEAD, "nothing that is listed"),
    ],
)
def test_what_is_no_top_up_is_refused(receipt: Receipt, head: Block, why: str) -> None:
    with pytest.raises(TopUpError, match=why):
        read(receipt, head)


async def test_a_top_up_by_hand_over_a_real_chain(devchain: DevChain, tmp_path: Path) -> None:
    token = await devchain.deploy_token("USDT", 6, 10**15)
    node = await Node.open(NodeSettings(data=tmp_path / "data", ticks=False, relay=False))
    scene = Scene(tmp_path, devchain, node, token)
    await scene.set_up()
    # The account that pays for everything else is cold storage here: all that it holds is booked.
    cold = devchain.accounts[0]
    head = await scene.chain.head()
    for asset, contract, unit in ((ETH, "", 1), (USDT, token, 10**12)):
        held = await scene.chain.balance(cold, contract, head) * unit
        await scene.do(
            f.BookCapital(
                network="SIM",
                asset=asset,
                vault=Vault.COLD,
                atoms=held,
                reference=f"cold {asset}",
                person="ann",
            )
        )
    treasury = NetworkTreasury(
        node,
        "SIM",
        scene.chain,
        scene,
        NetworkSettings(
            payouts=PayoutSettings(lanes=(HOT,)),
            sweeps=SweepSettings(hot=HOT),
            wallets=Wallets(hot=(HOT,), cold=(cold,)),
        ),
    )
    assert treasury.hot_wallet == HOT
    await devchain.mine(FINALITY)
    await treasury.reconcile()
    assert top_ups(node.funding) == []
    sent = await devchain.pay_token(token, HOT, 250_000_000)
    with pytest.raises(TopUpError, match="no such transaction"):
        await treasury.record_top_up("0x" + "12" * 32, "ann")
    await devchain.mine()
    with pytest.raises(TopUpError, match="not final yet"):
        await treasury.record_top_up(sent, "ann")
    await devchain.mine(FINALITY)
    await treasury.reconcile()
    # The token's sum is right; what it cost the coin is a difference until it is booked.
    rows = {row.asset: row for row in top_ups(node.funding)}
    assert rows["USDT"].unbooked == 250 * ETHER
    coin = node.funding.book.listings["ETH/SIM"]
    assert coin.withdrawal.status is ServiceStatus.PAUSED
    await treasury.record_top_up(sent, "ann")
    await treasury.record_top_up(sent, "bob")
    assert node.funding.held_in("SIM", Vault.HOT, USDT) == 250 * ETHER
    await treasury.reconcile()
    assert top_ups(node.funding) == []
    for listing in node.funding.book.listings.values():
        assert (listing.difference, listing.cold_difference) == (0, 0)
    await scene.close()
    await node.close()
