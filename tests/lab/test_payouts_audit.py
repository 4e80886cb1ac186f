"""The payouts drill's auditor: every way to pay wrongly is found, and nothing else is.

The second half pays by hand on a real chain, past any exchange, and lets the drill's own reading of
blocks judge it.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seawall.lab.drills.payouts_audit import (
    Asked,
    Evidence,
    Paid,
    PayoutKind,
    Told,
    audit_payouts,
)
from seawall.lab.drills.payouts_chain import REVERTS, HurtChain
from seawall.lib.prng import Prng

HOT, PAYEE, OTHER, STRANGER = "0xHot", "0xPayee", "0xOther", "0xStranger"
FEE = 10


def paid(tx_id: str, payee: str, units: int, nonce: int = 0) -> Paid:
    return Paid(
        tx_id=tx_id, source=HOT, nonce=nonce, payee=payee, contract="", units=units, block=7
    )


def told(number: int, state: str, address: str, tx_id: str = "") -> Told:
    return Told(
        number=number,
        name=f"w{number}",
        state=state,
        address=address,
        atoms=100,
        fee=FEE,
        tx_id=tx_id,
    )


def asked(number: int, address: str) -> Asked:
    return Asked(
        name=f"w{number}",
        user="ann",
        asset="ETH",
        address=address,
        atoms=100,
        number=number,
        numbers={number},
    )


def sound() -> Evidence:
    """One withdrawal paid, one returned: 1000 came, 90 left, the network charged 3."""
    return Evidence(
        asked=[asked(1, PAYEE), asked(2, OTHER)],
        told={"ann": [told(1, "settled", PAYEE, "a"), told(2, "returned", OTHER, "b")]},
        paid=[paid("a", PAYEE, 90)],
        ever_paid=[paid("a", PAYEE, 90), paid("b", OTHER, 90, nonce=1)],
        contracts={"ETH": ""},
        unit={"ETH": 1},
        journaled={"a", "b"},
        balances={("ann", "ETH"): 900},
        deposited={("ann", "ETH"): 1000},
        held={"ETH": 907},
        costs=3,
        native="ETH",
    )


def kinds(evidence: Evidence) -> set[PayoutKind]:
    return {finding.kind for finding in audit_payouts(evidence)}


def test_what_is_right_is_not_complained_of() -> None:
    assert audit_payouts(sound()) == []


def rows(*changed: Told) -> dict[str, list[Told]]:
    return {"ann": list(changed)}


SETTLED, RETURNED = told(1, "settled", PAYEE, "a"), told(2, "returned", OTHER, "b")


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("double", {"paid": [paid("a", PAYEE, 90), paid("c", PAYEE, 90, nonce=2)]}),
        ("double", {"paid": [paid("a", PAYEE, 91)]}),
        ("double", {"paid": [paid("a", PAYEE, 90), paid("b", OTHER, 90)]}),
        ("double", {"paid": [paid("a", PAYEE, 90), paid("c", STRANGER, 1)]}),
        ("double", {"told": rows(RETURNED)}),
        ("double", {"told": rows(SETTLED, replace(SETTLED, number=3), RETURNED)}),
        ("double", {"ever_paid": [paid("a", PAYEE, 90), paid("b", PAYEE, 90, nonce=1)]}),
        ("lost", {"paid": []}),
        ("lost", {"paid": [paid("a", PAYEE, 89)]}),
        ("lost", {"paid": [replace(paid("a", PAYEE, 90), contract="0xToken")]}),
        ("lost", {"told": rows(SETTLED)}),
        ("lost", {"told": rows(replace(SETTLED, address=OTHER), RETURNED)}),
        ("waiting", {"told": rows(SETTLED, replace(RETURNED, state="broadcast"))}),
        ("unjournaled", {"journaled": {"a"}}),
        ("balance", {"balances": {("ann", "ETH"): 901}}),
        ("balance", {"held": {"ETH": 906}}),
        ("balance", {"costs": 4}),
    ],
)
def test_every_kind_of_wrong_is_named(kind: str, changes: dict[str, object]) -> None:
    assert PayoutKind(kind) in kinds(replace(sound(), **changes))


def test_an_acknowledged_cancel_that_was_paid_is_double() -> None:
    evidence = sound()
    evidence.asked[0].canceled = True
    assert kinds(evidence) == {PayoutKind.DOUBLE}


def test_a_refused_request_need_not_be_there_and_must_not_be_paid() -> None:
    evidence = sound()
    refused = replace(asked(3, STRANGER), number=0, numbers=set(), refused="-4026")
    evidence = replace(evidence, asked=[*evidence.asked, refused])
    assert audit_payouts(evidence) == []
    again = [*evidence.paid, paid("c", STRANGER, 90, nonce=2)]
    assert kinds(replace(evidence, paid=again)) == {PayoutKind.DOUBLE}


# Over a real chain

FINALITY = 4


@pytest_asyncio.fixture
async def chain(tmp_path: Path) -> AsyncIterator[HurtChain]:
    found = HurtChain(tmp_path, finality=FINALITY, block_s=600.0, prng=Prng(3))
    await found.start()
    yield found
    await found.close()


async def judged(chain: HurtChain, hot: str, payee: str, held: int, state: str) -> set[PayoutKind]:
    """Judge one withdrawal of 100 by what really stands on chain; only its own payment counts."""
    record = await chain.read(frozenset({hot}))
    tx_id = next((one.tx_id for one in record.left), "")
    evidence = replace(
        sound(),
        asked=[asked(1, payee)],
        told=rows(told(1, state, payee, tx_id)),
        paid=record.left,
        ever_paid=[one for one in chain.mined.values() if one.source == hot],
        journaled={one.tx_id for one in chain.mined.values()},
        balances={("ann", "ETH"): 0},
        deposited={("ann", "ETH"): 100 if state == "settled" else 0},
        held={"ETH": await chain.held(hot, "")},
        costs=record.costs,
    )
    earned = FEE if state == "settled" else 0
    # The account was rich before: what is looked for is what changed.
    return kinds(replace(evidence, held={"ETH": evidence.held["ETH"] - held + 90 + earned}))


async def test_a_second_payment_by_hand_is_found_on_chain(chain: HurtChain) -> None:
    hot, payee = chain.node.accounts[0], "0x" + 20 * "70"
    held = await chain.held(hot, "")
    await chain.node.pay(payee, 90)
    await chain.mine()
    assert await judged(chain, hot, payee, held, "settled") == set()
    await chain.node.pay(payee, 90)
    await chain.mine()
    assert PayoutKind.DOUBLE in await judged(chain, hot, payee, held, "settled")
    assert PayoutKind.DOUBLE in await judged(chain, hot, payee, held, "returned")


async def test_a_payment_that_a_reorganisation_took_away_is_lost(chain: HurtChain) -> None:
    hot, payee = chain.node.accounts[0], "0x" + 20 * "70"
    held = await chain.held(hot, "")
    for _ in range(FINALITY):
        await chain.mine()
    first = await chain.node.pay(payee, 90)
    await chain.mine()
    await chain.node.reorganise(1)
    assert PayoutKind.LOST in await judged(chain, hot, payee, held, "settled")
    # Another payment in its place would have been one too many, had the first come back.
    await chain.node.pay("0x" + 20 * "80", 1)
    await chain.node.pay(payee, 90)
    await chain.mine()
    assert first in chain.mined
    assert PayoutKind.DOUBLE in await judged(chain, hot, payee, held, "settled")


async def test_a_payee_that_refuses_is_not_taken_for_paid(chain: HurtChain) -> None:
    hot, payee = chain.node.accounts[0], "0x" + 20 * "70"
    held = await chain.held(hot, "")
    await chain.rpc("anvil_setCode", payee, REVERTS)
    await chain.node.send(hot, payee, value=90, gas=30_000)
    await chain.mine()
    assert PayoutKind.LOST in await judged(chain, hot, payee, held, "settled")


async def test_a_killed_node_comes_back_without_its_newest_blocks(chain: HurtChain) -> None:
    token = await chain.node.deploy_token("USDT", 6, 1_000)
    for _ in range(2 * FINALITY):
        await chain.mine()
    await chain.dump()
    dumped, final = chain.head, chain.floor
    await chain.node.pay("0x" + 20 * "70", 90)
    await chain.mine()
    await chain.kill()
    await chain.revive()
    assert chain.reorganised == [1]
    assert int(await chain.rpc("eth_blockNumber"), 16) == dumped
    assert (await chain.read(frozenset(chain.node.accounts))).left == []
    assert chain.floor == final + 1
    for _ in range(20):
        await chain.reorganise()
        await chain.mine()
        assert max(chain.reorganised) < FINALITY
        assert await chain.held(chain.node.accounts[0], token) == 1_000
    assert len(chain.reorganised) > 10
