"""Stories of stop orders, trailing stops and countdowns."""

from unittest.mock import patch

from tests.core.story import Exchange, parse, play, show

TRADE_AT_100 = """
    alice  sell 100 @100 as s            : +s
    carol  buy 1 @100 as c               : +c s:1@100
    alice  cancel s                      : -s
    alice  buy 50 @90 as b90             : +b90
    alice  buy 50 @95 as b95             : +b95
    alice  sell 50 @105 as s105          : +s105
    alice  sell 50 @110 as s110          : +s110
"""


def test_stops_are_refused_where_they_would_start_at_once() -> None:
    play(
        TRADE_AT_100
        + """
        bob    sell 1 sl stop=100 as x       : would_trigger_immediately
        bob    buy 1 sl stop=100 as x        : would_trigger_immediately
        bob    sell 1 tp stop=100 as x       : would_trigger_immediately
        bob    buy 1 tp stop=100 as x        : would_trigger_immediately
        bob    sell 1 sl stop=99 as x1       : +x1
        bob    buy 1 sl stop=101 as x2       : +x2
        bob    sell 1 tp stop=101 as x3      : +x3
        bob    buy 1 tp stop=99 as x4        : +x4
        """
    )


def test_a_stop_loss_sells_at_market_once_the_price_falls_to_it() -> None:
    play(
        TRADE_AT_100
        + """
        bob    sell 60 sl stop=95 as x       : +x
        bob    has A=999940+60
        carol  sell 1 @95 ioc as c1          : +c1 b95:1@95 x! b95:49@95 b90:11@90
        bob    has A=999940+0 B=1005645+0
        """
    )


def test_a_stop_limit_rests_when_its_limit_is_not_met() -> None:
    play(
        TRADE_AT_100
        + """
        bob    buy 5 @104 sl stop=105 as x   : +x
        carol  buy 1 @105 ioc as c1          : +c1 s105:1@105 x!
        book   49@105 50@110 | 5@104 50@95 50@90
        bob    cancel x                      : -x
        bob    has B=1000000+0
        """
    )


def test_a_market_stop_buy_holds_its_stop_price_then_what_it_spends() -> None:
    play(
        TRADE_AT_100
        + """
        bob    buy 60 sl stop=105 as x       : +x
        bob    has B=993700+6300
        carol  buy 1 @105 ioc as c1          : +c1 s105:1@105 x! s105:49@105 s110:11@110
        bob    has A=1000060+0 B=993645+0
        """
    )


def test_a_stop_that_cannot_be_paid_expires() -> None:
    play(
        """
        alice  sell 10 @10 as s1             : +s1
        alice  sell 10 @20 as s2             : +s2
        carol  buy 1 @10 as c1               : +c1 s1:1@10
        bob    buy 9 sl stop=11 as x         : +x
        carol  buy 9 @10 ioc as c2           : +c2 s1:9@10
        dave   buy 1 @20 ioc as c3           : +c3 s2:1@20 x! x?insufficient_balance
        bob    has A=100+0 B=100+0
        """,
        funds=100,
    )


def test_one_stop_sets_off_the_next() -> None:
    play(
        TRADE_AT_100
        + """
        bob    sell 50 sl stop=95 as x1      : +x1
        bob    sell 10 sl stop=90 as x2      : +x2
        dave   buy 1 tp stop=90 as x3        : +x3
        carol  sell 1 @95 ioc as c1          : +c1 b95:1@95 x1! b95:49@95 b90:1@90 x2! b90:10@90 x3! s105:1@105
        """  # noqa: E501 the table's columns
    )


def test_stops_see_the_first_and_the_last_price_of_a_sweep() -> None:
    play(
        TRADE_AT_100
        + """
        bob    sell 1 @20 sl stop=99 as x    : +x
        bob    sell 1 tp stop=104 as y       : +y
        alice  sell 1 @98 as s98             : +s98
        carol  buy 2 @105 ioc as c1          : +c1 s98:1@98 s105:1@105 x! b95:1@95 y! b95:1@95
        """
    )


def test_trailing_stops_follow_the_best_price() -> None:
    play("""
        alice  buy 100 @800 as b800          : +b800
        alice  sell 1 @1000 as s0            : +s0
        carol  buy 1 @1000 as c0             : +c0 s0:1@1000
        bob    sell 1 sl trail=5 as y        : trailing_delta
        bob    sell 1 sl trail=2001 as y     : trailing_delta
        bob    sell 1 sl trail=1000 as x     : +x
        alice  sell 1 @1200 as s1            : +s1
        carol  buy 1 @1200 as c1             : +c1 s1:1@1200
        alice  sell 1 @1081 as s2            : +s2
        carol  buy 1 @1081 as c2             : +c2 s2:1@1081
        alice  sell 1 @1080 as s3            : +s3
        carol  buy 1 @1080 as c3             : +c3 s3:1@1080 x! b800:1@800
    """)


def test_a_trailing_stop_with_a_stop_price_follows_only_from_there() -> None:
    play(
        """
        alice  buy 100 @370 as b0            : +b0
        alice  sell 1 @400 as s0             : +s0
        carol  buy 1 @400 ioc as c0          : +c0 s0:1@400
        bob    buy 1 @450 sl stop=440 trail=500 as x : +x
        carol  sell 1 @370 ioc as c1         : +c1 b0:1@370
        alice  sell 9 @440 as s1             : +s1
        carol  buy 1 @440 ioc as c2          : +c2 s1:1@440
        alice  buy 1 @420 as b1              : +b1
        carol  sell 1 @420 ioc as c3         : +c3 b1:1@420
        alice  sell 1 @439 as s2             : +s2
        carol  buy 1 @439 ioc as c4          : +c4 s2:1@439
        carol  buy 1 @440 ioc as c5          : +c5 s1:1@440
        carol  buy 1 @441 ioc as c6          : +c6 s1:1@440
        alice  sell 1 @430 as s3             : +s3
        carol  buy 1 @430 ioc as c7          : +c7 s3:1@430
        alice  cancel s1                     : -s1
        alice  sell 1 @441 as s4             : +s4
        alice  sell 1 @441 as s5             : +s5
        carol  buy 1 @441 ioc as c8          : +c8 s4:1@441 x! s5:1@441
    """
    )


def test_stops_wait_while_the_market_is_not_open() -> None:
    play(
        TRADE_AT_100
        + """
        bob    sell 1 sl stop=95 as x        : +x
        status auction                       :
        carol  sell 60 @90 as c1             : +c1
        status open                          : b95&c1:50@90 b90&c1:10@90 x! b90:1@90
        """
    )


def test_what_is_beyond_the_limit_of_one_command_follows_with_the_next_entry() -> None:
    with patch("seawall.core.stops.TRIGGERS_PER_COMMAND", 2):
        play(
            TRADE_AT_100
            + """
            bob    sell 1 sl stop=95 as x1       : +x1
            bob    sell 1 sl stop=95 as x2       : +x2
            bob    sell 1 sl stop=95 as x3       : +x3
            bob    sell 1 sl stop=95 as x4       : +x4
            bob    sell 1 sl stop=95 as x5       : +x5
            carol  sell 1 @95 ioc as c1          : +c1 b95:1@95 x1! b95:1@95 x2! b95:1@95
            bob    amend x4 1                    : x3! b95:1@95 x4! b95:1@95 unknown_order
            tick   1                             : x5! b95:1@95
            tick   1                             :
            """
        )


def test_countdowns_cancel_at_the_next_entry_of_any_kind() -> None:
    play("""
        alice  sell 5 @100 as s1             : +s1
        alice  countdown 86400001            : countdown_out_of_range
        alice  countdown 5000                :
        tick   4                             :
        alice  countdown 5000                :
        tick   4                             :
        bob    buy 1 @100 as b1              : +b1 s1:1@100
        tick   2                             : -s1
        alice  sell 5 @100 as s2             : +s2
        alice  countdown 5000                :
        alice  countdown 0                   :
        tick   9                             :
        bob    buy 1 @100 as b2              : +b2 s2:1@100
        alice  countdown 1000                :
        bob    countdown 2000                :
        bob    buy 1 @90 as b3               : +b3
        tick   9                             : -s2 -b3
    """)


def test_an_order_placed_after_the_deadline_is_not_canceled() -> None:
    exchange = Exchange()
    for line, wait_ns in (("alice sell 5 @100 as s1", 1), ("alice countdown 1000", 1)):
        exchange.commit(parse(line.split())[0], wait_ns)
    events = exchange.commit(parse(["alice", "sell", "5", "@100", "as", "s1"])[0], 2_000_000_000)
    assert show(events) == "-s1 +s1"
