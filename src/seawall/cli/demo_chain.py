"""The demo's chain, its coins and its signer.  The rule: its treasury is composed as any other.

A development chain and a signer of its own are started, the play token is deployed as the chain's
first contract, and the hot wallet is given coins that stand in the ledger as the exchange's own
capital: chain and ledger agree to the last unit.  Credits of demo users are made of nothing; what
they withdraw is paid out of that capital, as long as it lasts.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

import httpx
import msgspec
import structlog
from msgspec import Struct

from seawall.cli.demo_file import CHAIN_FILE, ChainFile
from seawall.cli.demo_signer import COLD, DemoSigner, DemoSignerError
from seawall.cli.funding_definitions import demo_network, listings
from seawall.cli.settings import Configuration, SweepSection, TreasurySection
from seawall.lab.demochain import DemoChain
from seawall.lab.devchain import DevChain, DevChainError, call_data
from seawall.model.events import CommandRejected
from seawall.model.funding import DepositState, Listing, Network, Vault
from seawall.model.funding_commands import BookCapital
from seawall.node.node import Node
from seawall.treasury.chain import to_atoms
from seawall.treasury.settings import EndpointSettings
from seawall.treasury.signer.client import SignerClient, SignerSilentError
from seawall.treasury.signer.messages import AskWho, Who
from seawall.treasury.signer.protocol import load_token

HOT_WHOLE: Final = {"ETH": 1_000, "USDT": 5_000_000}
"""Whole units that the hot wallet begins with; 1,000,000 of any other token."""
OTHER_WHOLE: Final = 1_000_000
SUPPLY_WHOLE: Final = 1_000_000_000
COIN_ACCOUNT: Final = 1
"""Of the chain's own rich accounts; 0 deploys the token, and so never sends anything before."""
SWEEP_LEAST: Final = {"ETH": "0.05", "USDT": "20"}
BUSY_BLOCKS_MORE: Final = 8
"""Beyond finality: sweeps, their settling and the comparison follow a payment."""

_log = structlog.get_logger("seawall.demo")


class DemoMoney(Struct, frozen=True, kw_only=True):
    """What came of it."""

    network: str = ""
    """The network that is served; "" if none is."""
    program: str = ""
    why_not: str = ""
    treasury: dict[str, TreasurySection] = {}


class NoChainError(Exception):
    """The demo goes on without a chain; the message says why, and what helps."""


@asynccontextmanager
async def demo_chain(
    node: Node, configuration: Configuration, data: Path
) -> AsyncIterator[DemoMoney]:
    """Run chain and signer while entered; without a chain, say why there is none."""
    async with AsyncExitStack() as stack:
        try:
            money = await _open(node, configuration, data, stack)
        except (NoChainError, DevChainError, DemoSignerError, httpx.HTTPError, OSError) as error:
            _log.warning("the demo has no chain", reason=str(error))
            await stack.aclose()
            money = DemoMoney(why_not=str(error))
        yield money


async def _open(
    node: Node, configuration: Configuration, data: Path, stack: AsyncExitStack
) -> DemoMoney:
    network = demo_network(configuration)
    offered = [listing for listing in listings(configuration) if listing.network == network.code]
    chain = DemoChain(
        data / "demo" / "chain",
        chain_id=network.chain_id,
        block_ms=configuration.demo.block_ms,
        idle_block_ms=configuration.demo.idle_block_ms,
        busy_blocks=network.finality + BUSY_BLOCKS_MORE,
    )
    stack.push_async_callback(chain.close)
    signer = DemoSigner(data / "signer", network, offered)
    stack.push_async_callback(signer.close)
    # The libraries of chains take a second to load: meanwhile the processes start.
    library = asyncio.to_thread(import_module, "seawall.cli.treasury")
    begun = await asyncio.gather(chain.open(), signer.start(), library, return_exceptions=True)
    for trouble in begun:
        if isinstance(trouble, BaseException):
            raise trouble
    hot = await _hot_wallet(signer)
    await _check_known(node, chain.node, network, data)
    for listing in offered:
        await _endow(node, chain, listing, hot)
    chain.run()
    _write_chain_file(data, chain.node, network, offered)
    stack.callback((data / CHAIN_FILE).unlink, missing_ok=True)
    return DemoMoney(
        network=network.code,
        program=chain.node.program,
        treasury={network.code: _section(chain.node.url, signer.socket.absolute(), offered)},
    )


def _section(url: str, socket: Path, offered: list[Listing]) -> TreasurySection:
    return TreasurySection(
        signer=str(socket),
        cold=(COLD,),
        endpoint=[EndpointSettings(name="demo", url=url)],
        lone_endpoint=True,
        fee_cap="200",
        tip_floor="1",
        sweep=[
            SweepSection(asset=listing.asset, least=SWEEP_LEAST[listing.asset])
            for listing in offered
            if listing.asset in SWEEP_LEAST
        ],
    )


async def _hot_wallet(signer: DemoSigner) -> str:
    client = SignerClient(signer.socket, load_token(signer.socket.with_suffix(".token")))
    try:
        who = await client.ask(AskWho())
    except SignerSilentError as error:
        raise NoChainError(f"the signer does not answer: {error}") from error
    finally:
        await client.close()
    if not isinstance(who, Who) or not who.wallets:
        raise NoChainError("the signer names no wallet")
    return who.wallets[0]


async def _check_known(node: Node, chain: DevChain, network: Network, data: Path) -> None:
    """Raise NoChainError if this is not the chain that the journal has seen."""
    book = node.funding.book
    own = [row for row in book.listings.values() if row.listing.network == network.code]
    endowed = [row.listing for row in own if _reference(row.listing) in book.capital_references]
    credited = [
        deposit.block
        for deposit in book.deposits.values()
        if deposit.network == network.code and deposit.state is DepositState.CREDITED
    ]
    compared = [row.reconciled_block - network.finality for row in own]
    known = max([0, *credited, *compared])
    head = int(await chain.rpc("eth_blockNumber"), 16)
    gone = [
        listing.asset
        for listing in endowed
        if listing.contract and not await _has_code(chain, listing.contract)
    ]
    if head < known or gone or (endowed and head == 0):
        raise NoChainError(
            f"the chain in {data / 'demo' / 'chain'} ends at block {head}, and the journal knows"
            f" block {known}: its play money is gone. Begin anew in another directory with --data"
        )


async def _has_code(chain: DevChain, contract: str) -> bool:
    return bool(await chain.rpc("eth_getCode", contract, "latest") != "0x")


async def _endow(node: Node, chain: DemoChain, listing: Listing, hot: str) -> None:
    """Give the hot wallet what it begins with, and book exactly that as capital; once.

    Killed in between, it goes on at the next start: until it is booked nothing can be paid out.
    """
    if _reference(listing) in node.funding.book.capital_references:
        return
    if listing.contract and not await _has_code(chain.node, listing.contract):
        supply = SUPPLY_WHOLE * 10**listing.chain_decimals
        made = await chain.node.deploy_token(listing.asset, listing.chain_decimals, supply)
        if made != listing.contract:
            raise NoChainError(
                f"the token {listing.asset} is listed at {listing.contract}, and was deployed at"
                f" {made}"
            )
    whole = HOT_WHOLE.get(listing.asset, OTHER_WHOLE)
    missing = whole * 10**listing.chain_decimals - await _units(chain.node, listing, hot)
    if missing > 0:
        if listing.contract:
            await chain.node.pay_token(listing.contract, hot, missing)
        else:
            await chain.node.pay(hot, missing, account=COIN_ACCOUNT)
        await chain.mine()
    units = await _units(chain.node, listing, hot)
    decimals = node.funding.book.assets[listing.asset].decimals
    committed = await node.submit_funding(
        BookCapital(
            network=listing.network,
            asset=listing.asset,
            vault=Vault.HOT,
            atoms=to_atoms(units, chain_decimals=listing.chain_decimals, ledger_decimals=decimals),
            reference=_reference(listing),
            person="demo",
        )
    )
    if isinstance(committed.answer, CommandRejected):
        raise NoChainError(f"the hot wallet was not booked: {committed.answer.reason}")


def _reference(listing: Listing) -> str:
    return f"demo/{listing.asset}/{listing.network}"


async def _units(chain: DevChain, listing: Listing, owner: str) -> int:
    if not listing.contract:
        return int(await chain.rpc("eth_getBalance", owner, "latest"), 16)
    call = {"to": listing.contract, "data": call_data("balanceOf(address)", owner)}
    return int(await chain.rpc("eth_call", call, "latest"), 16)


def _write_chain_file(
    data: Path, chain: DevChain, network: Network, offered: list[Listing]
) -> None:
    file = ChainFile(
        url=chain.url,
        network=network.code,
        program=chain.program,
        contracts={listing.asset: listing.contract for listing in offered},
        decimals={listing.asset: listing.chain_decimals for listing in offered},
    )
    (data / CHAIN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(file)) + b"\n")
