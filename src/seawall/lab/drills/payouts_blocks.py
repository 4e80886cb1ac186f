"""Blocks as a stranger reads them.  The rule: nothing of the exchange's own reading is used.

The auditor must not share the treasury's mistakes: this reads the node's plain JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from eth_utils.address import to_checksum_address

from seawall.lab.drills.payouts_audit import COIN, Paid

TRANSFER_TOPIC: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TRANSFER_CALL: Final = "0xa9059cbb"
CALL_CHARS: Final = 2 + 8 + 2 * 64
NOBODY: Final = "0x" + 40 * "0"
Sent = Mapping[str, Any]


class ChainRecord:
    """What took effect in a range of blocks."""

    def __init__(self, own: frozenset[str]) -> None:
        self.moved: list[Paid] = []
        """Every movement of coins and tokens."""
        self.costs = 0
        """What the network charged the exchange's own addresses."""
        self._own = own

    def take(self, transactions: Sequence[Sent], receipts: Sequence[Sent]) -> None:
        """Take the content of one block."""
        for sent, receipt in zip(transactions, receipts, strict=True):
            if address(sent["from"]) in self._own:
                self.costs += number(receipt["gasUsed"]) * number(receipt["effectiveGasPrice"])
            if receipt["status"] == "0x1":
                self.moved += _effects(sent, receipt)

    @property
    def left(self) -> list[Paid]:
        """What went from the exchange's addresses to others'."""
        own = self._own
        return [paid for paid in self.moved if paid.source in own and paid.payee not in own]

    @property
    def came(self) -> list[Paid]:
        """What came to the exchange's addresses from others'."""
        own = self._own
        return [paid for paid in self.moved if paid.source not in own and paid.payee in own]


def meant(sent: Sent) -> Paid:
    """Return what a transaction means to pay: its branch may be gone before its receipt."""
    data, target = sent["input"], sent["to"] or NOBODY
    if data.startswith(TRANSFER_CALL) and len(data) == CALL_CHARS:
        return _paid(sent, sent["from"], "0x" + data[34:74], address(target), int(data[74:], 16))
    return _paid(sent, sent["from"], target, COIN, number(sent["value"]))


def _effects(sent: Sent, receipt: Sent) -> Iterator[Paid]:
    """Yield what one transaction moved, by its value and by the tokens' own logs."""
    if sent["to"] and number(sent["value"]):
        yield _paid(sent, sent["from"], sent["to"], COIN, number(sent["value"]))
    for log in receipt["logs"]:
        topics = log["topics"]
        if len(topics) == 3 and topics[0] == TRANSFER_TOPIC:
            source, payee = ("0x" + topic[26:] for topic in topics[1:])
            yield _paid(sent, source, payee, address(log["address"]), number(log["data"]))


def _paid(sent: Sent, source: str, payee: str, contract: str, units: int) -> Paid:
    return Paid(
        tx_id=sent["hash"],
        source=address(source),
        nonce=number(sent["nonce"]),
        payee=address(payee),
        contract=contract,
        units=units,
        block=number(sent["blockNumber"]),
    )


def number(text: str) -> int:
    return int(text, 16)


def address(text: str) -> str:
    return str(to_checksum_address(text))
