"""What the exchange acknowledged to one trader.  The rule: written down only once it was answered.

Everything here came back from the exchange as a success.  The audit then asks whether it is still
there, all of it, once.
"""

from typing import Any

from msgspec import Struct


class Fill(Struct, frozen=True, kw_only=True):
    trade_id: int
    price: str
    quantity: str
    commission: str


class Placed(Struct, frozen=True, kw_only=True):
    """An acknowledged order, as its answer described it."""

    symbol: str
    client_order_id: str
    order_id: int
    side: str
    quantity: str
    executed: str
    fills: tuple[Fill, ...] = ()
    retried: bool = False
    """Whether the answer came to a repeat under the same command id."""


class Canceled(Struct, frozen=True, kw_only=True):
    """An acknowledged cancel."""

    symbol: str
    order_id: int
    executed: str


class Sent(Struct, frozen=True, kw_only=True):
    """An acknowledged transfer between the trader's wallets."""

    number: int
    name: str
    kind: str
    asset: str
    amount: str


class Ledger:
    """All acknowledgements of one trader, and what was surely refused."""

    def __init__(self) -> None:
        self.placed: dict[str, Placed] = {}
        self.canceled: dict[int, Canceled] = {}
        self.refused: set[str] = set()
        """Client order ids of orders that the exchange refused, or never received."""
        self.sent: set[str] = set()
        """Client order ids of all orders ever sent."""
        self.transfers: dict[str, Sent] = {}
        self.refused_transfers: set[str] = set()
        """Client ids of transfers that the exchange refused."""
        self.sent_transfers: set[str] = set()
        """Client ids of all transfers ever sent."""
        self.acknowledged_at_s: list[float] = []
        self.unknown = 0
        """How often an answer was missing."""

    @property
    def fills(self) -> int:
        return sum(len(placed.fills) for placed in self.placed.values())

    def take_placed(self, symbol: str, answer: dict[str, Any], *, retried: bool) -> None:
        """Write down the answer to an order."""
        fills = tuple(
            Fill(
                trade_id=fill["tradeId"],
                price=fill["price"],
                quantity=fill["qty"],
                commission=fill["commission"],
            )
            for fill in answer.get("fills", ())
        )
        placed = Placed(
            symbol=symbol,
            client_order_id=answer["clientOrderId"],
            order_id=answer["orderId"],
            side=answer["side"],
            quantity=answer["origQty"],
            executed=answer["executedQty"],
            fills=fills,
            retried=retried,
        )
        self.placed[placed.client_order_id] = placed

    def take_canceled(self, symbol: str, answer: dict[str, Any]) -> None:
        """Write down the answer to a cancel."""
        canceled = Canceled(
            symbol=symbol, order_id=answer["orderId"], executed=answer["executedQty"]
        )
        self.canceled[canceled.order_id] = canceled

    def take_transfer(self, asked: dict[str, str], answer: dict[str, Any]) -> None:
        """Write down the answer to a transfer."""
        name = asked["clientTranId"]
        if "tranId" not in answer:
            self.refused_transfers.add(name)
            return
        self.transfers[name] = Sent(
            number=answer["tranId"],
            name=name,
            kind=asked["type"],
            asset=asked["asset"],
            amount=asked["amount"],
        )
