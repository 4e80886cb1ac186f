"""Endpoints compared: liars are named, and nothing is known that no quorum says."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.treasury.lying_chain import (
    BLOCK_MS,
    Manner,
    SimulatedChain,
    SimulatedEndpoint,
    SimulatedNetwork,
    Transaction,
)

from seawall.lib.invariants import InvariantError
from seawall.treasury.chain import SendOutcome, UnknownError
from seawall.treasury.endpoints import Endpoints, Failure, Health, Known, Terms, Unknown


def health(network: SimulatedNetwork) -> dict[str, Health]:
    return {verdict.endpoint: verdict.health for verdict in network.verdicts()}


def three(manner: Manner, before: int = 8) -> tuple[SimulatedChain, SimulatedNetwork]:
    chain = SimulatedChain()
    chain.fund("alice", 100)
    chain.mine(before)
    network = SimulatedNetwork(chain)
    network.shown[2].manner = manner
    return chain, network


@pytest.mark.parametrize(
    "manner, named",
    [
        (Manner.HONEST, Health.SOUND),
        (Manner.UNREACHABLE, Health.UNREACHABLE),
        (Manner.LAGGING, Health.LAGGING),
        (Manner.STALLED, Health.STALLED),
        (Manner.FORKED, Health.FORKED),
        (Manner.BOASTS, Health.AHEAD),
        (Manner.LIES_ABOUT_BALANCES, Health.LYING),
        (Manner.LIES_ABOUT_RECEIPTS, Health.LYING),
        (Manner.LIES_ABOUT_NONCES, Health.LYING),
        (Manner.HIDES_PAYMENTS, Health.LYING),
        (Manner.INVENTS_PAYMENTS, Health.LYING),
    ],
)
async def test_one_of_three_is_named_and_outvoted(manner: Manner, named: Health) -> None:
    chain, network = three(manner)
    await network.head()
    paid = chain.fund("alice", 7)
    mined = chain.mine(1)
    chain.mine(8)
    head = await network.head()

    assert head == chain.head
    assert [one.tx_id for one in await network.payments(mined, {"alice"})] == [paid.tx_id]
    assert await network.balance("alice", "", head) == 107
    assert await network.next_nonce("alice") == 0
    receipt = await network.receipt(paid.tx_id)
    assert receipt is not None
    assert receipt.ok
    assert health(network) == {"a": Health.SOUND, "b": Health.SOUND, "c": named}


async def test_two_that_differ_leave_everything_unknown() -> None:
    chain = SimulatedChain()
    chain.fund("alice", 100)
    chain.mine(8)
    pair = [SimulatedEndpoint("a", chain), SimulatedEndpoint("b", chain)]
    network = SimulatedNetwork(chain, pair)
    pair[1].manner = Manner.LIES_ABOUT_BALANCES
    head = await network.head()
    with pytest.raises(UnknownError, match=r"balance of alice.*a: 100; b: 101"):
        await network.balance("alice", "", head)
    assert set(health(network).values()) == {Health.DISPUTED}
    pair[1].manner = Manner.HONEST
    assert await network.balance("alice", "", head) == 100
    assert set(health(network).values()) == {Health.SOUND}


async def test_a_race_at_the_tip_is_no_fork() -> None:
    chain, network = three(Manner.FORKED)
    chain.mine(1)
    head = await network.head()
    assert head == chain.head
    assert health(network)["c"] is Health.SOUND
    chain.mine(8)
    await network.head()
    assert health(network)["c"] is Health.FORKED
    network.shown[2].manner = Manner.HONEST
    chain.mine(1)
    await network.head()
    assert health(network)["c"] is Health.SOUND


async def test_when_all_stop_the_chain_is_halted_and_nobody_is_blamed() -> None:
    chain, network = three(Manner.HONEST)
    await network.head()
    chain.clock.set(chain.clock.now_ns() + 60 * BLOCK_MS * 1_000_000)
    await network.head()
    assert network.endpoints.halted_ms(chain.clock.now_ns()) == 60 * BLOCK_MS
    assert set(health(network).values()) == {Health.SOUND}


async def test_too_few_that_answer_decide_nothing() -> None:
    network = three(Manner.UNREACHABLE)[1]
    network.shown[1].manner = Manner.UNREACHABLE
    with pytest.raises(UnknownError, match="connection refused"):
        await network.head()
    with pytest.raises(UnknownError):
        await network.receipt("0x00")
    with pytest.raises(UnknownError):
        await network.fee_quote()


async def test_a_slow_endpoint_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, network = three(Manner.HONEST)

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(network.shown[0], "head", never)
    async with asyncio.timeout(60):
        assert await network.head() == chain.head


def test_a_quorum_that_two_answers_could_have_is_no_quorum() -> None:
    for names, quorum in ((["a", "b"], 1), (["a", "b", "c", "d"], 2), (["a", "b"], 3)):
        with pytest.raises(InvariantError):
            Endpoints(names, Terms(quorum=quorum, block_ms=1))
    with pytest.raises(InvariantError):
        Endpoints(["a", "a"], Terms(quorum=2, block_ms=1))


@given(answers=st.lists(st.sampled_from([1, 2, 3, None]), min_size=1, max_size=7))
def test_known_means_more_than_half_said_it(answers: list[int | None]) -> None:
    names = [f"e{number}" for number in range(len(answers))]
    quorum = len(names) // 2 + 1
    told: dict[str, int | Failure] = {
        name: Failure(reason="away") if answer is None else answer
        for name, answer in zip(names, answers, strict=True)
    }
    found = Endpoints(names, Terms(quorum=quorum, block_ms=1)).compare("q", told)
    counts = {value: answers.count(value) for value in (1, 2, 3)}
    if isinstance(found, Known):
        assert counts[found.value] >= quorum
        assert len(found.dissenters) == sum(counts.values()) - counts[found.value]
    else:
        assert isinstance(found, Unknown)
        assert max(counts.values()) < quorum


async def test_sending_says_what_may_have_happened() -> None:
    chain, network = three(Manner.TAKES_SILENTLY)
    for endpoint in network.shown:
        endpoint.manner = Manner.TAKES_SILENTLY
    chain.fund("hot", 10**9)
    chain.mine()
    sent = Transaction(source="hot", nonce=0, payee="bob", units=5)
    first = await network.send(sent.signed)
    assert first.outcome is SendOutcome.UNKNOWN
    network.shown[1].manner = Manner.HONEST
    again = await network.send(sent.signed)
    assert (again.outcome, again.tx_id) == (SendOutcome.ALREADY_KNOWN, sent.tx_id)
    chain.mine()
    other = Transaction(source="hot", nonce=0, payee="eve", units=5)
    assert (await network.send(other.signed)).outcome is SendOutcome.UNKNOWN
    for endpoint in network.shown:
        endpoint.manner = Manner.HONEST
    assert (await network.send(other.signed)).outcome is SendOutcome.SLOT_USED
    assert await network.transaction_in_slot("hot/0") == sent.tx_id
    assert await network.next_nonce("hot") == 1


MANNERS = st.sampled_from(
    [manner for manner in Manner if manner not in (Manner.TAKES_SILENTLY, Manner.SWALLOWS)]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mine"), st.integers(1, 7)),
        st.tuples(st.just("fund"), st.integers(1, 99)),
        st.tuples(st.just("reorganise"), st.integers(1, 5)),
        st.tuples(st.just("turn"), MANNERS),
    ),
    max_size=15,
)


@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_one_liar_of_three_never_changes_an_answer(steps: list[tuple[str, object]]) -> None:
    """Whatever one endpoint does, the others' truth comes out, or nothing does."""

    async def play() -> None:
        chain, network = three(Manner.HONEST)
        for verb, argument in steps:
            match argument:
                case Manner():
                    network.shown[2].manner = argument
                case int() if verb == "mine":
                    chain.mine(argument)
                case int() if verb == "fund":
                    chain.fund("alice", argument)
                case int():
                    chain.reorganise(argument)
            head = await network.head()
            assert head == chain.head
            assert await network.balance("alice", "", head) == chain.tip.balances["alice", ""]
            paid = await network.payments(head, {"alice"})
            expected = [one for block, one in chain.payments_to({"alice"}) if block == head]
            assert paid == expected
            honest = {health(network)[name] for name in "ab"}
            assert honest == {Health.SOUND}

    asyncio.run(play())
