"""Random trading, compared step by step with a naive book: events, books and money."""

from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.naive_book import NaiveBook, NaiveOrder
from tests.core.story import INSTRUMENT, USERS, Exchange, parse_user, show, show_book

FUNDS = 600
WIDE = msgspec.structs.replace(
    INSTRUMENT, bid_up_ppm=10**9, ask_up_ppm=10**9, bid_down_ppm=0, ask_down_ppm=0
)
MODES = ["NONE", "NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"]


@dataclass
class Step:
    """One thing that a user does; `which` picks the order to cancel or amend."""

    user: str
    verb: str
    is_buy: bool
    size: int
    price: int
    ice: int
    stp: str
    which: int


steps = st.builds(
    Step,
    user=st.sampled_from(sorted(USERS)),
    verb=st.sampled_from(
        ["gtc"] * 6 + ["ioc", "fok", "maker", "market", "amount", "cancel", "amend"]
    ),
    is_buy=st.booleans(),
    size=st.integers(1, 12),
    price=st.integers(8, 12),
    ice=st.sampled_from([0, 0, 0, 1, 2, 5]),
    stp=st.sampled_from(MODES),
    which=st.integers(0, 3),
)


def words_of(step: Step, name: str, target: str) -> tuple[str, list[str]]:
    """Return the step as the verb and words of a story's line."""
    side = "buy" if step.is_buy else "sell"
    if step.verb == "cancel":
        return "cancel", [target]
    if step.verb == "amend":
        return "amend", [target, str(step.size)]
    tail = [f"stp={step.stp}", "as", name]
    if step.verb == "market":
        return side, [str(step.size), *tail]
    if step.verb == "amount":
        return side, [f"~{step.size * 10}", *tail]
    words = [str(step.size), f"@{step.price}", step.verb, *tail]
    if step.verb in {"gtc", "maker"} and step.ice:
        words.insert(2, f"ice={min(step.ice, step.size)}")
    return side, words


def naive_answer(book: NaiveBook, step: Step, name: str, target: str) -> str:
    if step.verb == "cancel":
        return book.cancel(step.user, target)
    if step.verb == "amend":
        return book.amend(step.user, target, step.size)
    is_priced = step.verb not in {"market", "amount"}
    order = NaiveOrder(
        name,
        step.user,
        step.is_buy,
        0 if step.verb == "amount" else step.size,
        step.price if is_priced else 0,
        min(step.ice, step.size) if step.verb in {"gtc", "maker"} else 0,
        step.stp,
    )
    return book.place(order, step.verb, step.size * 10 if step.verb == "amount" else 0)


@settings(deadline=None, max_examples=250)
@given(st.lists(steps, min_size=10, max_size=50), st.booleans())
def test_matching_agrees_with_a_naive_book(trading: list[Step], grouped: bool) -> None:
    exchange = Exchange(WIDE, FUNDS)
    book = NaiveBook({user: [FUNDS, FUNDS] for user in USERS})
    if grouped:
        for user in ("alice", "bob"):
            book.groups[user] = 7
            exchange.commit(parse_user(USERS[user], "group", ["7"]))
    for number, step in enumerate(trading):
        name = f"o{number}"
        mine = [order.name for order in book.orders if order.user == step.user]
        target = mine[step.which % len(mine)] if mine else "none"
        verb, words = words_of(step, name, target)
        happened = show(exchange.commit(parse_user(USERS[step.user], verb, words)))
        assert happened == naive_answer(book, step, name, target), f"{step.user} {verb} {words}"
        assert show_book(exchange.state) == book.show()
        if step.which == 0:
            exchange.reload()
        for user, amounts in book.money.items():
            for index, code in enumerate("AB"):
                balance = exchange.state.ledger.balance(USERS[user], code)
                assert balance.free + balance.held == amounts[index], f"{user} {code}"
