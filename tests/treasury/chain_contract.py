"""What every chain's adapter must do.  The rule: one suite, over the simulator and over real nodes.

A subclass gives a `bench` fixture: the chain, and hands that pay, mine, reorganise and sign.
"""

from abc import ABC, abstractmethod

import pytest

from seawall.treasury.chain import (
    AddressError,
    Chain,
    PaymentOrder,
    RefusedError,
    SendOutcome,
    UnknownError,
    Unsigned,
)


class Bench(ABC):
    """A chain under test, and everybody else on it."""

    chain: Chain
    hot: str
    """An address whose key `sign` has, with plenty of coin."""
    unit: int
    """An ordinary amount."""
    wrong_addresses: tuple[str, ...]

    @abstractmethod
    async def address(self) -> str:
        """Return a new address of somebody's."""

    @abstractmethod
    async def pay(self, address: str, units: int) -> str:
        """Let a stranger pay; it stands in the next block."""

    @abstractmethod
    async def mine(self, blocks: int = 1) -> None: ...

    @abstractmethod
    async def reorganise(self, depth: int) -> None:
        """Replace the newest blocks by a longer branch that has none of their payments."""

    @abstractmethod
    def sign(self, unsigned: Unsigned) -> bytes: ...

    async def order(self, payee: str, units: int) -> PaymentOrder:
        """Order a payment out of the hot wallet, in its next slot if it has slots in order."""
        slots = await self.slots()
        quote = await self.chain.fee_quote()
        return PaymentOrder(
            source=self.hot, payee=payee, contract="", units=units, slots=slots, quote=quote
        )

    @abstractmethod
    async def slots(self) -> tuple[str, ...]: ...


class ChainContract:
    """The suite."""

    async def test_blocks_follow_each_other(self, bench: Bench) -> None:
        await bench.mine(3)
        head = await bench.chain.head()
        for number in range(head.number, head.number - 3, -1):
            block = await bench.chain.block(number)
            parent = await bench.chain.block(number - 1)
            assert block is not None
            assert parent is not None
            assert (block.number, block.parent_id) == (number, parent.id)
            assert block.at_ns >= parent.at_ns
        assert await bench.chain.block(head.number + 1) is None
        assert await bench.chain.block(head.number) == head

    async def test_a_payment_is_seen_in_its_block_only(self, bench: Bench) -> None:
        mine, other = await bench.address(), await bench.address()
        paid = await bench.pay(mine, bench.unit)
        await bench.pay(other, bench.unit)
        await bench.mine()
        block = await bench.chain.head()
        await bench.mine()
        found = await bench.chain.payments(block, {mine})
        assert [(one.tx_id, one.address, one.contract) for one in found] == [(paid, mine, "")]
        assert found[0].units == found[0].stated_units == bench.unit
        assert await bench.chain.payments(await bench.chain.head(), {mine, other}) == []
        assert await bench.chain.payments(block, set()) == []

    async def test_a_balance_is_bound_to_its_block(self, bench: Bench) -> None:
        mine = await bench.address()
        await bench.mine()
        await bench.pay(mine, bench.unit)
        await bench.mine()
        head = await bench.chain.head()
        assert await bench.chain.balance(mine, "", head) == bench.unit
        assert await bench.chain.balance(await bench.address(), "", head) == 0

    async def test_many_balances_are_those_of_each(self, bench: Bench) -> None:
        paid = [await bench.address() for _ in range(3)]
        for times, address in enumerate(paid, 1):
            for _ in range(times):
                await bench.pay(address, bench.unit)
        await bench.mine()
        head = await bench.chain.head()
        asked = [paid[2], await bench.address(), paid[0], paid[1], paid[2]]
        found = await bench.chain.balances(asked, "", head)
        assert found == [3 * bench.unit, 0, bench.unit, 2 * bench.unit, 3 * bench.unit]
        assert await bench.chain.balances((), "", head) == []

    async def test_a_reorganisation_takes_back_what_it_drops(self, bench: Bench) -> None:
        mine = await bench.address()
        paid = await bench.pay(mine, bench.unit)
        await bench.mine(2)
        head = await bench.chain.head()
        old = await bench.chain.block(head.number - 1)
        assert old is not None
        assert len(await bench.chain.payments(old, {mine})) == 1
        assert await bench.chain.receipt(paid) is not None
        await bench.reorganise(2)
        now = await bench.chain.head()
        assert now.number > head.number
        replaced = await bench.chain.block(old.number)
        assert replaced is not None
        assert replaced.id != old.id
        assert await bench.chain.receipt(paid) is None
        assert await bench.chain.payments(replaced, {mine}) == []
        assert await bench.chain.balance(mine, "", now) == 0
        with pytest.raises(UnknownError):
            await bench.chain.balance(mine, "", old)

    async def test_a_payment_out_from_order_to_receipt(self, bench: Bench) -> None:
        payee = await bench.address()
        order = await bench.order(payee, bench.unit)
        unsigned = await bench.chain.build(order)
        signed = bench.sign(unsigned)
        read = bench.chain.decode(signed)
        assert (read.payee, read.contract, read.units) == (payee, "", bench.unit)
        assert read.slots == unsigned.slots
        assert await bench.chain.receipt(read.tx_id) is None
        assert await bench.chain.transaction_in_slot(unsigned.slots[0]) is None

        first = await bench.chain.send(signed)
        assert (first.outcome, first.tx_id) == (SendOutcome.ACCEPTED, read.tx_id)
        assert (await bench.chain.send(signed)).outcome is SendOutcome.ALREADY_KNOWN
        await bench.mine(2)
        receipt = await bench.chain.receipt(read.tx_id)
        assert receipt is not None
        assert receipt.ok
        assert receipt.paid(payee, "") == bench.unit
        assert 0 < receipt.cost <= unsigned.max_cost
        assert receipt.confirmations(await bench.chain.head()) == 2
        assert await bench.chain.transaction_in_slot(unsigned.slots[0]) == read.tx_id
        late = await bench.chain.send(signed)
        assert late.outcome in (SendOutcome.ALREADY_KNOWN, SendOutcome.SLOT_USED)

    async def test_many_receipts_are_those_of_each(self, bench: Bench) -> None:
        paid = [await bench.pay(await bench.address(), bench.unit) for _ in range(2)]
        await bench.mine()
        unsigned = await bench.chain.build(await bench.order(await bench.address(), bench.unit))
        unsent = bench.chain.decode(bench.sign(unsigned)).tx_id
        asked = [paid[1], unsent, paid[0], paid[1]]
        found = await bench.chain.receipts(asked)
        assert found == [await bench.chain.receipt(each) for each in asked]
        assert [each and each.tx_id for each in found] == [paid[1], None, paid[0], paid[1]]
        assert await bench.chain.receipts(()) == []

    async def test_sent_together_each_has_its_own_result(self, bench: Bench) -> None:
        unsigned = await bench.chain.build(await bench.order(await bench.address(), bench.unit))
        signed = bench.sign(unsigned)
        first, again = await bench.chain.send_all((signed, signed))
        assert first.outcome is SendOutcome.ACCEPTED, first.detail
        assert again.outcome is SendOutcome.ALREADY_KNOWN, again.detail
        assert first.tx_id == again.tx_id == bench.chain.decode(signed).tx_id
        await bench.mine()
        assert (await bench.chain.receipts((first.tx_id,)))[0] is not None

    async def test_a_slot_is_used_once(self, bench: Bench) -> None:
        """Of two attempts with the same slots the chain takes one at most."""
        one, other = await bench.address(), await bench.address()
        order = await bench.order(one, bench.unit)
        unsigned = await bench.chain.build(order)
        rival = await bench.chain.build(
            PaymentOrder(
                source=bench.hot,
                payee=other,
                contract="",
                units=bench.unit,
                slots=unsigned.slots,
                quote=order.quote,
            )
        )
        signed = bench.sign(unsigned)
        assert (await bench.chain.send(signed)).outcome.taken
        await bench.mine()
        assert (await bench.chain.send(bench.sign(rival))).outcome is SendOutcome.SLOT_USED
        assert await bench.chain.transaction_in_slot(unsigned.slots[0]) == (
            bench.chain.decode(signed).tx_id
        )

    async def test_a_replacement_pays_more_for_the_same(self, bench: Bench) -> None:
        payee = await bench.address()
        order = await bench.order(payee, bench.unit)
        first = await bench.chain.build(order)
        assert (await bench.chain.send(bench.sign(first))).outcome.taken
        again = PaymentOrder(
            source=order.source,
            payee=payee,
            contract="",
            units=order.units,
            slots=first.slots,
            quote=order.quote.raised(100),
        )
        second = await bench.chain.build(again)
        assert second.slots == first.slots
        assert second.max_cost > first.max_cost
        signed = bench.sign(second)
        sent = await bench.chain.send(signed)
        assert sent.outcome is SendOutcome.ACCEPTED, sent.detail
        await bench.mine()
        before, after = bench.chain.decode(bench.sign(first)), bench.chain.decode(signed)
        assert await bench.chain.receipt(before.tx_id) is None
        receipt = await bench.chain.receipt(after.tx_id)
        assert receipt is not None
        assert receipt.paid(payee, "") == bench.unit

    async def test_what_does_not_exist_is_none(self, bench: Bench) -> None:
        unsigned = await bench.chain.build(await bench.order(await bench.address(), bench.unit))
        read = bench.chain.decode(bench.sign(unsigned))
        assert await bench.chain.receipt(read.tx_id) is None

    async def test_garbage_is_refused(self, bench: Bench) -> None:
        for garbage in (b"", b"\x02", b"\x02\xc0", b"\x00" * 40, b"{}"):
            with pytest.raises(RefusedError):
                bench.chain.decode(garbage)

    async def test_addresses_are_checked(self, bench: Bench) -> None:
        good = await bench.address()
        assert bench.chain.valid_address(good) == good
        for wrong in bench.wrong_addresses:
            with pytest.raises(AddressError):
                bench.chain.valid_address(wrong)
