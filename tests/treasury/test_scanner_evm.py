"""The scanner over a real Anvil: coin and tokens, a reorganisation, one liar between two honest."""

from collections.abc import AsyncIterator, Collection

import pytest_asyncio
from tests.treasury.funding_desk import SCALE, FundingDesk
from tests.treasury.test_addresses import ABANDON, account_of

from seawall.lab.devchain import DevChain
from seawall.model.funding import DepositState, NetworkKind
from seawall.model.funding_commands import SeeDeposit
from seawall.node.clock import SystemClock
from seawall.treasury.addresses import DepositAddresses
from seawall.treasury.chain import Block, Payment
from seawall.treasury.endpoints import Health
from seawall.treasury.evm import EvmChain
from seawall.treasury.scanner import DepositScanner
from seawall.treasury.scanning import scan
from seawall.treasury.settings import ChainSettings, EndpointSettings, FeeSettings

FINALITY = 3
ADDRESS = DepositAddresses(
    account_of(ABANDON, "m/44h/60h/0h").to_public().to_base58(), NetworkKind.EVM
).address(0)


class _Liar:
    """What one endpoint says of payments, from now on."""

    async def payments(self, block: Block, addresses: Collection[str]) -> tuple[Payment, ...]:
        return ()


@pytest_asyncio.fixture
async def chain(devchain: DevChain) -> AsyncIterator[EvmChain]:
    token = await devchain.deploy_token("USDT", 6, 10**15)
    made = EvmChain(
        ChainSettings(
            network="SIM",
            # One node under three names: what is compared here is what they say, not who they are.
            endpoints=tuple(
                EndpointSettings(name=name, url=f"{devchain.url}/?{name}") for name in "abc"
            ),
            fees=FeeSettings(cap=10**12),
            chain_id=devchain.chain_id,
            tokens=(token,),
        ),
        SystemClock(),
    )
    yield made
    await made.close()


async def test_deposits_from_block_to_credit(devchain: DevChain, chain: EvmChain) -> None:
    (token,) = chain._tokens
    desk = FundingDesk(finality=FINALITY, users=0, token=token)
    desk.open_address(1, ADDRESS)
    scanner = DepositScanner(desk.state, "SIM")
    liar = chain._readers["c"]
    liar.payments = _Liar().payments  # type: ignore[method-assign]  # an endpoint that hides

    async def follow() -> None:
        await scan(chain, scanner, desk.submit, desk.alarms.append)

    coin = await devchain.pay(ADDRESS, 10**18)
    await devchain.pay_token(token, ADDRESS, 5_000_000)
    await devchain.mine()
    await follow()
    states = {one.state for one in desk.state.book.deposits.values()}
    assert states == {DepositState.SEEN}
    raw = await devchain.rpc("eth_getRawTransactionByHash", coin)
    await devchain.reorganise(1, [(raw, 0)])
    await follow()
    by_asset = {one.asset: one.state for one in desk.state.book.deposits.values()}
    assert by_asset == {"ETH": DepositState.SEEN, "USDT": DepositState.REVERTED}
    await devchain.pay_token(token, ADDRESS, 7_000_000)
    await devchain.mine(FINALITY)
    await follow()
    assert desk.balance(1, "ETH") == 10**18
    assert desk.balance(1, "USDT") == 7_000_000 * SCALE
    assert len([one for one in desk.commands if isinstance(one, SeeDeposit)]) == 4
    assert not desk.refused
    assert not desk.alarms
    health = {verdict.endpoint: verdict.health for verdict in chain.verdicts()}
    assert health == {"a": Health.SOUND, "b": Health.SOUND, "c": Health.LYING}
