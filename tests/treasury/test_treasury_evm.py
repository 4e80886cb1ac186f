"""The whole treasury over a real Anvil and a real node: in, swept, reconciled, and out again."""

from pathlib import Path

from tests.treasury.evm_scene import ETH, ETHER, FINALITY, PAYEE, SCALE, USDT, Scene

from seawall.lab.devchain import DevChain
from seawall.model import funding_commands as f
from seawall.model.funding import ServiceStatus, WithdrawalState
from seawall.model.ids import UserId
from seawall.node.node import Node
from seawall.node.settings import NodeSettings


async def test_in_swept_reconciled_and_out_again(devchain: DevChain, tmp_path: Path) -> None:
    token = await devchain.deploy_token("USDT", 6, 10**15)
    node = await Node.open(NodeSettings(data=tmp_path / "data", ticks=False, relay=False))
    scene = Scene(tmp_path, devchain, node, token)
    await scene.set_up()

    async def blocks(count: int) -> None:
        for _ in range(count):
            # Every block it begins anew, as after a crash.
            await scene.treasury().step()
            await devchain.mine()

    await devchain.pay(scene.keys.deposit_address(0), ETHER)
    await devchain.pay_token(token, scene.keys.deposit_address(0), 500_000_000)
    await blocks(FINALITY + 3)
    assert node.funding.ledger.free(1, "ETH") == ETHER
    assert node.funding.ledger.free(1, "USDT") == 500 * ETHER
    for asset, atoms in ((ETH, ETHER // 2), (USDT, 400 * ETHER)):
        await scene.do(
            f.RequestWithdrawal(
                user_id=UserId(1), asset=asset, network="SIM", address=PAYEE, atoms=atoms
            )
        )
    await blocks(6 * FINALITY)
    rows = list(node.funding.book.withdrawals.values())
    assert [row.state for row in rows] == [WithdrawalState.SETTLED] * 2
    head = await scene.chain.head()
    assert await scene.chain.balance(PAYEE, "", head) == ETHER // 2 - SCALE
    assert await scene.chain.balance(PAYEE, token, head) == 400_000_000 - 1
    swept = {key.split("/")[0] for key, move in node.funding.book.moves.items() if move.tx_id}
    assert "sweep" in swept
    for listing in node.funding.book.listings.values():
        assert listing.reconciled_block > FINALITY
        assert (listing.difference, listing.withdrawal.status) == (0, ServiceStatus.OPEN)
    await scene.close()
    await node.close()
