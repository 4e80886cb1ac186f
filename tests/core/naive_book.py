"""A second opinion on matching: one plain list of orders, everything searched anew each time.

Written from the rules in docs, not from `core/`: no levels, no ladders, no holds kept up to date.
Prices, sizes and money are whole numbers of one market, as in `story.py`.
"""

from copy import deepcopy
from dataclasses import dataclass, field


@dataclass
class NaiveOrder:
    name: str
    user: str
    is_buy: bool
    size: int
    price: int
    """0 takes any price."""
    ice: int = 0
    stp: str = "NONE"
    arrived: int = 0
    """Its place in the queue; an iceberg's next part arrives anew."""
    shown: int = 0
    done: int = 0
    prevented: int = 0

    @property
    def left(self) -> int:
        return self.size - self.done - self.prevented

    @property
    def needs(self) -> int:
        return self.left * self.price if self.is_buy else self.left


@dataclass
class NaiveBook:
    """All users' money and resting orders."""

    money: dict[str, list[int]]
    """A and B of each user, held or not."""
    groups: dict[str, int] = field(default_factory=dict)
    orders: list[NaiveOrder] = field(default_factory=list)
    clock: int = 0

    def free(self, user: str, is_buy: bool) -> int:
        """Return what the user may still promise of what a side pays in."""
        mine = [order for order in self.orders if order.user == user and order.is_buy == is_buy]
        return self.money[user][1 if is_buy else 0] - sum(order.needs for order in mine)

    def best(self, is_buy: bool) -> NaiveOrder | None:
        side = [order for order in self.orders if order.is_buy == is_buy]
        if not side:
            return None
        return min(side, key=lambda order: (order.price * (-1 if is_buy else 1), order.arrived))

    def is_own(self, one: NaiveOrder, other: NaiveOrder) -> bool:
        group = self.groups.get(one.user, 0)
        return one.user == other.user or (group > 0 and group == self.groups.get(other.user, 0))

    def place(self, order: NaiveOrder, kind: str, amount: int = 0) -> str:
        """Place an order of kind gtc, ioc, fok, maker, market or amount; return what happens."""
        facing = self.best(not order.is_buy)
        if kind == "maker" and facing is not None and self.reaches(order, facing):
            return "would_match_immediately"
        trial = deepcopy(self)
        tried = deepcopy(order)
        trial.play(tried, amount)
        if order.is_buy and kind == "market":
            # What it buys from itself costs it nothing in the end, but must be there meanwhile.
            needs = self.money[order.user][1] - trial.money[order.user][1] + trial.paid_to_self
        elif order.is_buy:
            needs = amount or order.needs
        elif amount:
            needs = tried.done + trial.moved
        else:
            needs = order.left
        if self.free(order.user, order.is_buy) < needs:
            return "insufficient_balance"
        said = f"+{order.name}"
        if kind == "fok" and tried.done < tried.size:
            return f"{said} {order.name}?not_fillable"
        said += self.play(order, amount)
        if said.endswith(f" {order.name}?self_trade_prevention"):
            return said
        if kind == "amount":
            if self.ended_short or order.done == 0:
                reason = "no_liquidity" if self.ended_short else "amount_below_one_lot"
                return f"{said} {order.name}?{reason}"
            return said
        if order.left == 0:
            return said
        if kind in {"ioc", "fok"}:
            return f"{said} {order.name}?immediate_or_cancel"
        if kind == "market":
            return f"{said} {order.name}?no_liquidity"
        order.shown = min(order.left, order.ice or order.left)
        self.clock += 1
        order.arrived = self.clock
        self.orders.append(order)
        return said

    paid_to_self: int = 0
    moved: int = 0
    ended_short: bool = False

    @staticmethod
    def reaches(order: NaiveOrder, facing: NaiveOrder) -> bool:
        if order.price == 0:
            return True
        return order.price >= facing.price if order.is_buy else order.price <= facing.price

    def play(self, taker: NaiveOrder, amount: int) -> str:
        """Match the order while anything faces it; return what was said on the way."""
        said = ""
        spent = 0
        self.paid_to_self = 0
        self.moved = 0
        self.ended_short = False
        while True:
            facing = self.best(not taker.is_buy)
            if facing is None:
                self.ended_short = amount > 0
                return said
            if not self.reaches(taker, facing):
                return said
            wanted = (amount - spent) // facing.price if amount else taker.left
            if wanted == 0:
                return said
            take = min(wanted, facing.shown)
            if taker.stp == "NONE" or not self.is_own(taker, facing):
                self.pay(taker, facing, take)
                if taker.user == facing.user:
                    self.paid_to_self += take * facing.price
                taker.done += take
                facing.done += take
                taker.size += take if amount else 0
                spent += take * facing.price
                said += f" {facing.name}:{take}@{facing.price}"
                self.tidy(facing, take)
                continue
            mode = taker.stp
            if mode == "TRANSFER" and (facing.stp != "TRANSFER" or taker.user == facing.user):
                mode = "DECREMENT"
            taker_loses = wanted if mode in {"EXPIRE_TAKER", "EXPIRE_BOTH"} else 0
            facing_loses = facing.left if mode in {"EXPIRE_MAKER", "EXPIRE_BOTH"} else 0
            if mode in {"DECREMENT", "TRANSFER"}:
                taker_loses = facing_loses = take
                spent += take * facing.price
            if mode == "TRANSFER":
                self.pay(taker, facing, take)
                self.moved += take
            taker.size += taker_loses if amount else 0
            taker.prevented += taker_loses
            facing.prevented += facing_loses
            said += f" {facing.name}~{taker_loses}/{facing_loses}"
            self.tidy(facing, facing_loses)
            if facing.left == 0:
                said += f" {facing.name}?self_trade_prevention"
            if taker_loses == wanted:
                return f"{said} {taker.name}?self_trade_prevention"

    def pay(self, taker: NaiveOrder, facing: NaiveOrder, lots: int) -> None:
        buyer, seller = (taker, facing) if taker.is_buy else (facing, taker)
        self.money[buyer.user][0] += lots
        self.money[seller.user][0] -= lots
        self.money[buyer.user][1] -= lots * facing.price
        self.money[seller.user][1] += lots * facing.price

    def tidy(self, order: NaiveOrder, lots: int) -> None:
        """Take the order out if nothing is left; let an iceberg show its next part."""
        if order.left == 0:
            self.orders = [other for other in self.orders if other is not order]
            return
        order.shown -= min(lots, order.shown)
        if order.shown == 0:
            order.shown = min(order.ice, order.left)
            self.clock += 1
            order.arrived = self.clock

    def cancel(self, user: str, name: str) -> str:
        for order in self.orders:
            if order.user == user and order.name == name:
                self.orders = [other for other in self.orders if other is not order]
                return f"-{name}"
        return "unknown_order"

    def amend(self, user: str, name: str, size: int) -> str:
        for order in self.orders:
            if order.user == user and order.name == name:
                if size >= order.size or size <= order.done + order.prevented:
                    return "amend_not_smaller"
                order.size = size
                order.shown = min(order.shown, order.left)
                return f"{name}={size}"
        return "unknown_order"

    def show(self) -> str:
        """Write the book as `story.show_book` does."""
        sides = []
        for is_buy in (False, True):
            shown: dict[int, int] = {}
            for order in self.orders:
                if order.is_buy == is_buy:
                    shown[order.price] = shown.get(order.price, 0) + order.shown
            sides.append(" ".join(f"{shown[p]}@{p}" for p in sorted(shown, reverse=is_buy)))
        return " | ".join(sides).strip()
