"""Stories of single orders: each type, and each refusal in its order of precedence."""

from dataclasses import dataclass

import msgspec
import pytest
from tests.core.story import AB, INSTRUMENT, USERS, Exchange, parse_order, play

from seawall.core.preview import preview_place_order
from seawall.core.snapshots import dump_spot
from seawall.model import commands as c
from seawall.model import events as e
from seawall.model.ids import OrderId, Symbol
from seawall.model.instruments import Instrument
from seawall.model.trading import MarketStatus, OrderType, StpMode

XY = Symbol("XY")


def with_terms(**changes: object) -> Instrument:
    return msgspec.structs.replace(INSTRUMENT, **changes)


def test_limits_trade_by_price_then_time_at_the_makers_price() -> None:
    play("""
        alice  sell 10 @101 as s1        : +s1
        carol  sell 5  @100 as s2        : +s2
        dave   sell 7  @100 as s3        : +s3
        book   12@100 10@101 |
        bob    buy 15 @101 as b1         : +b1 s2:5@100 s3:7@100 s1:3@101
        book   7@101 |
        bob    has A=1000015+0 B=998497+0
        alice  has A=999990+7 B=1000303+0
        bob    buy 10 @101 as b2         : +b2 s1:7@101
        book   | 3@101
        bob    has A=1000022+0 B=997487+303
        bob    cancel b2                 : -b2
        bob    has B=997790+0
    """)


def test_market_orders_take_what_is_there_and_expire() -> None:
    play("""
        bob    buy 5 as m0               : +m0 m0?no_liquidity
        alice  sell 10 @100 as s1        : +s1
        alice  sell 10 @110 as s2        : +s2
        bob    buy 15 as m1              : +m1 s1:10@100 s2:5@110
        bob    has A=1000015+0 B=998450+0
        bob    buy 15 as m2              : +m2 s2:5@110 m2?no_liquidity
        bob    has A=1000020+0 B=997900+0
        alice  buy 10 @90 as b1          : +b1
        bob    sell 12 as m3             : +m3 b1:10@90 m3?no_liquidity
        bob    has A=1000010+0 B=998800+0
    """)


def test_market_orders_by_amount_spend_or_raise_it() -> None:
    play("""
        alice  sell 3 @100 as s1         : +s1
        alice  sell 9 @110 as s2         : +s2
        bob    buy ~50 as m0             : +m0 m0?amount_below_one_lot
        bob    buy ~599 as m1            : +m1 s1:3@100 s2:2@110
        bob    has A=1000005+0 B=999480+0
        bob    buy ~5000 as m2           : +m2 s2:7@110 m2?no_liquidity
        bob    has A=1000012+0 B=998710+0
        alice  buy 3 @90 as b1           : +b1
        alice  buy 9 @80 as b2           : +b2
        bob    sell ~500 as m3           : +m3 b1:3@90 b2:2@80
        bob    has A=1000007+0 B=999140+0
        bob    sell ~2000000 as m4       : +m4 b2:7@80 m4?no_liquidity
    """)


def test_the_size_of_a_market_order_by_amount_is_what_it_filled() -> None:
    exchange = Exchange()
    for text in ("sell 3 @100 as s1", "sell 9 @110 as s2"):
        exchange.commit(parse_order(USERS["alice"], text.split()))
    events = exchange.commit(parse_order(USERS["bob"], ["buy", "~599", "as", "m"]))
    accepted = next(event for event in events if isinstance(event, e.OrderAccepted)).order
    assert (accepted.size_lots, accepted.filled_lots, accepted.filled_quote) == (5, 5, 520)
    assert accepted.status == "FILLED"


def test_immediate_or_cancel_and_fill_or_kill() -> None:
    play("""
        alice  sell 5 @100 as s1         : +s1
        alice  sell 5 @102 as s2         : +s2
        bob    buy 8 @101 fok as f1      : +f1 f1?not_fillable
        bob    buy 8 @101 ioc as i1      : +i1 s1:5@100 i1?immediate_or_cancel
        bob    buy 5 @102 fok as f2      : +f2 s2:5@102
        bob    has A=1000010+0 B=998990+0
        bob    buy 5 @102 ioc as i2      : +i2 i2?immediate_or_cancel
        book   |
    """)


def test_a_limit_maker_never_takes() -> None:
    play("""
        alice  sell 5 @100 as s1         : +s1
        bob    buy 5 @100 maker as b1    : would_match_immediately
        bob    buy 5 @99 maker as b1     : +b1
        alice  sell 5 @99 maker as s2    : would_match_immediately
        book   5@100 | 5@99
    """)


def test_an_iceberg_shows_its_parts_in_turn() -> None:
    play("""
        alice  sell 10 @100 ice=3 as s1  : +s1
        carol  sell 5 @100 as s2         : +s2
        book   8@100 |
        bob    buy 4 @100 as b1          : +b1 s1:3@100 s2:1@100
        book   7@100 |
        bob    buy 6 @100 as b2          : +b2 s2:4@100 s1:2@100
        book   1@100 |
        bob    buy 20 @100 as b3         : +b3 s1:1@100 s1:3@100 s1:1@100
        book   | 15@100
        alice  sell 30 @99 ice=4 as s3   : +s3 b3:15@100
        book   4@99 |
        bob    buy 15 @99 fok as b4      : +b4 s3:4@99 s3:4@99 s3:4@99 s3:3@99
    """)


def test_cancels_name_their_order() -> None:
    play("""
        alice  cancel s1                 : unknown_order
        alice  sell 5 @100 as s1         : +s1
        bob    cancel s1                 : unknown_order
        alice  cancel s1 only_partially_filled : cancel_restricted
        bob    buy 1 @100 as b1          : +b1 s1:1@100
        alice  cancel s1 only_new        : cancel_restricted
        alice  cancel s1 only_partially_filled : -s1
        alice  cancel_all                : unknown_order
        alice  sell 5 @100 as s1         : +s1
        alice  sell 5 @101 as s2         : +s2
        alice  sell 5 sl stop=90 as s3   : +s3
        alice  cancel_all                : -s1 -s2 -s3
        alice  has A=999999+0
    """)


def test_a_cancel_by_both_ids_needs_them_to_agree() -> None:
    exchange = Exchange()
    exchange.commit(parse_order(USERS["alice"], ["sell", "5", "@100", "as", "s1"]))

    def cancel(order_id: int, name: str) -> list[e.Event]:
        return exchange.commit(
            c.CancelOrder(
                user_id=USERS["alice"], symbol=AB, order_id=OrderId(order_id), client_order_id=name
            )
        )

    assert isinstance(cancel(1, "s2")[0], e.CommandRejected)
    assert isinstance(cancel(2, "s1")[0], e.CommandRejected)
    assert isinstance(cancel(1, "s1")[0], e.OrderCanceled)


def test_an_amended_order_keeps_its_place() -> None:
    play("""
        alice  sell 5 @100 as s1         : +s1
        carol  sell 5 @100 as s2         : +s2
        alice  amend s9 4                : unknown_order
        alice  amend s1 5                : amend_not_smaller
        alice  amend s1 0                : lot_size/size
        alice  amend s1 3 as s3          : s3=3
        alice  has A=999997+3
        bob    buy 1 @100 as b1          : +b1 s3:1@100
        alice  amend s3 1                : amend_not_smaller
        alice  amend s3 2                : s3=2
        bob    buy 3 @100 as b2          : +b2 s3:1@100 s2:2@100
        carol  sell 10 @100 ice=4 as i1  : +i1
        book   7@100 |
        carol  amend i1 6                : i1=6
        book   7@100 |
        carol  amend i1 3                : i1=3
        book   6@100 |
        bob    buy 9 @90 as b3           : +b3
        bob    amend b3 4                : b3=4
        bob    has B=999240+360
        carol  amend i1 2 as s2          : duplicate_client_order_id
    """)


def test_cancel_replace_tells_of_both_halves() -> None:
    play("""
        alice  sell 5 @100 as s1                                       : +s1
        alice  replace stop_on_failure s1 | sell 5 @101 as s2          : (yes,yes) -s1 +s2
        alice  replace stop_on_failure s1 | sell 5 @102 as s3          : (unknown_order,unasked) cancel_replace_failed
        alice  replace allow_failure s1 | sell 5 @102 as s3            : (unknown_order,yes) +s3
        alice  replace allow_failure s1 | sell 5 @0 as s4              : (unknown_order,price_filter) cancel_replace_failed
        alice  replace stop_on_failure s3 only_partially_filled | sell 5 @102 as s4 : (cancel_restricted,unasked) cancel_replace_failed
        alice  replace stop_on_failure s3 | sell 5 @0 as s4            : (yes,price_filter) -s3
        alice  replace stop_on_failure s2 | sell 1000000 @101 as s2    : (yes,yes) -s2 +s2
    """)  # noqa: E501 the table's columns


def test_fees_are_rounded_down_in_what_is_received() -> None:
    play("""
        tier   1 1500 2500               :
        bob    tier 9                    : unknown_tier
        bob    tier 1                    :
        alice  sell 999 @7 as s1         : +s1
        bob    buy 999 @7 as b1          : +b1 s1:999@7
        bob    has A=1000997+0 B=993007+0
        alice  has B=1006993+0
        bob    sell 999 @7 as s2         : +s2
        alice  buy 999 @7 as b2          : +b2 s2:999@7
        bob    has A=999998+0 B=999990+0
        alice  has A=1000000+0 B=1000000+0
    """)


def test_refusals_by_terms() -> None:
    play("""
        bob    buy ~5 @100 as b          : unsupported_combination/quote_amount
        bob    buy 5 ioc as b            : unsupported_combination/time_in_force
        bob    buy 5 stop=5 as b         : unsupported_combination/stop_price
        bob    buy 5 @9 stop=5 as b      : unsupported_combination/stop_price
        bob    buy 5 ice=5 as b          : unsupported_combination/iceberg_size
        bob    buy 5 sl as b             : unsupported_combination/stop_price
        bob    buy 5 sl stop=5 gtc as b  : unsupported_combination/time_in_force
        bob    buy 5 sl stop=5 ice=5 as b : unsupported_combination/iceberg_size
        bob    buy 5 @5 ioc ice=5 as b   : unsupported_combination/iceberg_size
    """)


@dataclass
class Case:
    """A refusal, and an order that would meet it and all those listed after it."""

    text: str
    expected: str


PRECEDENCE = [
    Case("buy 9 @100 ioc ice=2 stp=TRANSFER as taken", "unsupported_combination/iceberg_size"),
    Case("buy 9 @3 ice=2 stp=TRANSFER as taken", "unsupported_stp_mode"),
    Case("buy 9 @3 ice=2 as taken", "duplicate_client_order_id"),
    Case("buy 9 @3 ice=3 as b", "price_filter/price"),
    Case("buy 9 @8 ice=3 as b", "percent_price_by_side/price"),
    Case("buy 9 @1000 ice=3 as b", "percent_price_by_side/price"),
    Case("buy 9 @100 ice=3 as b", "lot_size/size"),
    Case("buy 1002 @100 ice=3 as b", "lot_size/size"),
    Case("buy 1000 @100 ice=3 as b", "lot_size/iceberg_size"),
    Case("buy 2 @60 ice=2 as b", "notional"),
    Case("buy 1000 @200 ice=2 as b", "notional"),
    Case("buy 20 @100 ice=2 as b", "iceberg_parts"),
    Case("buy 4 @100 ice=6 as b", "iceberg_exceeds_size"),
    Case("buy 4 @100 ice=2 as b", "max_num_orders"),
]


@pytest.mark.parametrize("case", PRECEDENCE, ids=lambda case: case.expected)
def test_refusals_in_their_order(case: Case) -> None:
    instrument = with_terms(
        tick_price=2,
        lot_size=2,
        min_price=4,
        min_size=2,
        max_size=1000,
        max_market_size=100,
        min_notional=200,
        max_notional=150_000,
        iceberg_parts=5,
        max_orders=1,
        quote_decimals=0,
        stp_modes=(StpMode.NONE,),
    )
    play(
        f"""
            alice  sell 4 @100 as s          : +s
            carol  buy 2 @100 as c           : +c s:1@50
            bob    buy 4 @90 as taken        : +taken
            bob    {case.text} : {case.expected}
        """,
        instrument,
    )


def test_refusals_by_counts_and_position() -> None:
    play(
        """
        alice  sell 5 @100 as s1             : +s1
        bob    buy 1 @100 as b0              : +b0 s1:1@100
        bob    buy 1 @90 ice=1 as i1         : +i1
        bob    buy 2 @90 ice=1 as i2         : max_num_iceberg_orders
        bob    sell 1 sl stop=90 as a1       : +a1
        bob    sell 1 sl stop=90 as a2       : max_num_algo_orders
        bob    sell 1 @200 as s2             : +s2
        bob    sell 1 @200 as s3             : max_num_orders
        bob    buy 1 as m1                   : +m1 s1:1@100
        bob    cancel s2                     : -s2
        bob    buy 10 @50 as b1              : max_position
        bob    buy 6 @50 as b1               : +b1
        """,
        with_terms(max_orders=3, max_algo_orders=1, max_iceberg_orders=1, max_position=1_000_009),
    )


def test_tiers_may_keep_more_orders_open() -> None:
    exchange = Exchange(with_terms(max_orders=1))
    bob = USERS["bob"]
    tier = msgspec.structs.replace(exchange.state.tiers[0], tier=1, max_orders=2)
    exchange.commit(c.SetFeeTier(tier=tier))
    exchange.commit(c.SetAccountTier(user_id=bob, tier=1))
    assert len(exchange.commit(parse_order(bob, ["buy", "1", "@1", "as", "a"]))) > 1
    assert len(exchange.commit(parse_order(bob, ["buy", "1", "@1", "as", "b"]))) > 1
    (refused,) = exchange.commit(parse_order(bob, ["buy", "1", "@1", "as", "c"]))
    assert isinstance(refused, e.CommandRejected)
    assert refused.reason == "max_num_orders"


def test_refusals_by_money() -> None:
    play(
        """
        bob    sell 101 @5 as s              : insufficient_balance
        bob    buy 21 @5 as b                : insufficient_balance
        alice  sell 10 @5 as s1              : +s1
        alice  sell 90 @6 as s2              : +s2
        bob    buy 18 as m                   : +m s1:10@5 s2:8@6
        bob    buy 1 as m                    : insufficient_balance
        bob    buy ~3 as m                   : insufficient_balance
        bob    sell 18 sl stop=3 as x        : +x
        bob    sell 101 @20 as s             : insufficient_balance
        bob    sell 100 @50 as s             : percent_price_by_side/price
        bob    sell 100 @20 as s             : +s
        bob    sell 1 sl stop=3 as y         : insufficient_balance
        """,
        funds=100,
    )


def test_unknown_markets_and_offered_types() -> None:
    exchange = Exchange(with_terms(order_types=(OrderType.LIMIT,)))
    order = parse_order(USERS["bob"], ["buy", "5", "as", "m"])
    (refused,) = exchange.commit(order)
    assert isinstance(refused, e.CommandRejected)
    assert refused.reason == "unsupported_order_type"
    for command in (
        msgspec.structs.replace(order, symbol=XY),
        c.CancelOrder(user_id=USERS["bob"], symbol=XY, order_id=OrderId(1)),
        c.CancelOpenOrders(user_id=USERS["bob"], symbol=XY),
        c.SetCountdownCancel(user_id=USERS["bob"], symbol=XY, countdown_ms=1),
    ):
        (refused,) = exchange.commit(command)
        assert isinstance(refused, e.CommandRejected)
        assert refused.reason == "unknown_symbol"


STATUS_STORY = """
    bob    buy 5 @99 as b1               : {limit}
    bob    buy 5 @100 as b2              : {crossing}
    bob    buy 5 @98 maker as b3         : {maker}
    bob    buy 5 @99 ioc as b4           : {immediate}
    bob    buy 5 as b5                   : {market}
    bob    sell 5 sl stop=50 as b6       : {stop}
    alice  amend s1 4                    : {amend}
    alice  cancel s1                     : -s1
"""
OUTCOMES = {
    MarketStatus.HALTED: dict.fromkeys(
        ("limit", "crossing", "maker", "immediate", "market", "stop", "amend"), "market_halted"
    ),
    MarketStatus.CANCEL_ONLY: dict.fromkeys(
        ("limit", "crossing", "maker", "immediate", "market", "stop", "amend"),
        "market_cancel_only",
    ),
    MarketStatus.POST_ONLY: {
        "limit": "+b1",
        "crossing": "market_post_only/price",
        "maker": "+b3",
        "immediate": "market_post_only/type",
        "market": "market_post_only/type",
        "stop": "+b6",
        "amend": "s1=4",
    },
    MarketStatus.AUCTION: {
        "limit": "+b1",
        "crossing": "+b2",
        "maker": "market_in_auction/type",
        "immediate": "market_in_auction/type",
        "market": "+b5",
        "stop": "+b6",
        "amend": "s1=4",
    },
}


@pytest.mark.parametrize("status", OUTCOMES)
def test_what_each_status_takes(status: MarketStatus) -> None:
    play(
        f"alice sell 5 @100 as s1 : +s1\nalice sell 1 @101 as s2 : +s2\n"
        f"bob buy 1 @101 ioc as b0 : +b0 s1:1@100\nstatus {status.value} :\n"
        + STATUS_STORY.format(**OUTCOMES[status])
    )


def test_an_order_test_judges_as_placing_does_and_changes_nothing() -> None:
    exchange = Exchange(funds=1_000)
    bob = USERS["bob"]
    for text in ("buy 5 @100 as b", "buy 50 @100 as b", "buy 5 @0 as b", "buy 5 as m"):
        order = parse_order(bob, text.split())
        before = dump_spot(exchange.state)
        foretold = preview_place_order(exchange.state, order)
        assert dump_spot(exchange.state) == before
        first = exchange.commit(order)[0]
        assert foretold == (first.reason if isinstance(first, e.CommandRejected) else None)


def test_a_command_id_takes_effect_once() -> None:
    exchange = Exchange()
    order = parse_order(USERS["bob"], ["buy", "5", "@100", "as", "b"])
    assert len(exchange.commit(order, command_id="one")) > 1
    sequence = exchange.state.sequence
    exchange.reload()
    (repeated,) = exchange.commit(order, command_id="one")
    assert isinstance(repeated, e.CommandRepeated)
    assert repeated.sequence == sequence
    (refused,) = exchange.commit(order, command_id="two")
    assert isinstance(refused, e.CommandRejected)
    exchange.commit(c.CancelOpenOrders(user_id=USERS["bob"], symbol=AB))
    assert len(exchange.commit(order, command_id="two")) > 1, "a refusal had no effect"
