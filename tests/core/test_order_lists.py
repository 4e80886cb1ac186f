"""Stories of order lists: OCO, OTO, OTOCO."""

from tests.core.story import play

START = """
    alice  sell 1 @100 as s              : +s
    carol  buy 1 @100 as c               : +c s:1@100
    alice  buy 50 @95 as b95             : +b95
    alice  sell 50 @105 as s105          : +s105
"""


def test_an_oco_holds_once_and_its_limit_ends_its_stop() -> None:
    play(
        START
        + """
        bob    oco L | sell 10 @103 maker as up | sell 10 @90 sl stop=96 as down : +up +down
        bob    has A=999990+10
        carol  buy 4 @103 ioc as c1          : +c1 up:4@103 down?order_list
        bob    has A=999990+6
        carol  buy 6 @103 ioc as c2          : +c2 up:6@103 L.
        bob    has A=999990+0 B=1001030+0
        """
    )


def test_an_oco_stop_ends_its_limit() -> None:
    play(
        START
        + """
        bob    oco L | sell 10 @103 maker as up | sell 10 @90 sl stop=96 as down : +up +down
        carol  sell 1 @95 ioc as c1          : +c1 b95:1@95 down! up?order_list b95:10@95 L.
        bob    has A=999990+0 B=1000950+0
        """
    )


def test_an_oco_of_buys_holds_for_the_dearer() -> None:
    play(
        START
        + """
        bob    oco L | buy 10 @110 sl stop=104 as up | buy 10 @97 maker as down : +up +down
        bob    has B=998900+1100
        bob    amend down 5                  : up=5 down=5
        bob    has B=999450+550
        carol  sell 2 @97 ioc as c1          : +c1 down:2@97 up?order_list
        bob    has A=1000002+0 B=999515+291
        bob    cancel down                   : -down L.
        bob    has B=999806+0
        bob    oco M | buy 10 @110 sl stop=104 as up | buy 10 @96 tp stop=96 as down : +up +down
        bob    has B=998706+1100
        carol  buy 1 @105 ioc as c2          : +c2 s105:1@105 up! down?order_list s105:10@105 M.
        bob    has B=998756+0
        """
    )


def test_ending_one_order_of_a_list_ends_the_list() -> None:
    play(
        START
        + """
        bob    oco L | sell 10 @103 maker as up | sell 10 sl stop=96 as down : +up +down
        bob    oco L | sell 10 @103 maker as x | sell 10 sl stop=96 as y : duplicate_client_order_id/list_client_order_id
        bob    cancel down                   : -down -up L.
        bob    has A=1000000+0
        bob    oto L | buy 5 @94 as w | sell 5 @110 as p : +w +p
        bob    cancel p                      : -p -w L.
        bob    oto L | buy 5 @94 as w | sell 5 @110 as p : +w +p
        bob    cancel_list K                 : unknown_order_list
        bob    cancel_list L                 : -w -p L.
        bob    oto L | buy 5 @94 as w | sell 5 @110 as p : +w +p
        bob    cancel_all                    : -w -p L.
        """  # noqa: E501 the table's columns
    )


def test_an_oto_releases_its_pending_order_when_the_working_one_is_filled() -> None:
    play(
        START
        + """
        bob    oto L | buy 5 @98 as w | sell 5 @99 as p : +w +p
        bob    has A=1000000+0 B=999510+490
        carol  sell 4 @98 as c1              : +c1 w:4@98
        bob    has A=1000004+0
        carol  sell 2 @98 as c2              : +c2 w:1@98 p!
        book   1@98 5@99 50@105 | 50@95
        bob    has A=1000000+5 B=999510+0
        carol  buy 6 @99 as c3               : +c3 c2:1@98 p:5@99 L.
        bob    oto M | buy 5 @105 as w2 | sell 50 as p2 : +w2 +p2 s105:5@105 p2! b95:50@95 M.
        """
    )


def test_a_working_order_that_ends_otherwise_takes_the_pending_one_along() -> None:
    play(
        START
        + """
        bob    oto L | buy 5 @97 ioc as w | sell 5 @99 as p : +w +p w?immediate_or_cancel p?order_list L.
        bob    oto L | buy 55 @105 fok as w | sell 5 @99 as p : +w +p w?not_fillable p?order_list L.
        """  # noqa: E501 the table's columns
    )


def test_a_pending_order_that_cannot_begin_expires() -> None:
    play(
        """
        alice  sell 50 @10 as s1             : +s1
        bob    oto L | buy 5 @10 as w | sell 150 @99 as p : +w +p s1:5@10 p! p?insufficient_balance L.
        alice  buy 1 @9 as b1                : +b1
        bob    oto L | buy 1 @10 as w | sell 5 @9 maker as p : +w +p s1:1@10 p! p?would_match_immediately L.
        bob    oto L | buy 1 @10 as w | sell 1 sl stop=11 as p : +w +p s1:1@10 p! p! b1:1@9 L.
        """,  # noqa: E501 the table's columns
        funds=100,
    )


def test_an_otoco_protects_what_its_working_order_bought() -> None:
    play(
        START
        + """
        bob    otoco L | buy 5 @98 as w | sell 5 @104 maker as up | sell 5 sl stop=96 as down : +w +up +down
        carol  sell 5 @98 as c1              : +c1 w:5@98 up! down!
        bob    has A=1000000+5
        bob    amend up 4                    : up=4 down=4
        carol  sell 1 @95 ioc as c2          : +c2 b95:1@95 down! up?order_list b95:4@95 L.
        bob    has A=1000001+0
        bob    otoco M | buy 5 @98 as w | sell 5 @104 maker as up | sell 5 sl stop=93 as down : +w +up +down
        carol  sell 5 @98 as c3              : +c3 w:5@98 up! down!
        carol  buy 5 @104 as c4              : +c4 up:5@104 down?order_list M.
        """  # noqa: E501 the table's columns
    )


def test_a_prevented_match_ends_the_pair_as_a_trade_does() -> None:
    play(
        START
        + """
        bob    oco L | sell 5 @101 maker as up | sell 5 sl stop=96 as down : +up +down
        bob    buy 2 stp=DECREMENT as t      : +t up~2/2 down?order_list t?self_trade_prevention
        bob    has A=999997+3
        bob    buy 9 @101 ioc stp=EXPIRE_MAKER as u : +u up~0/3 up?self_trade_prevention L. u?immediate_or_cancel
        """  # noqa: E501 the table's columns
    )


def test_refused_lists() -> None:
    play(
        START
        + """
        bob    oco L | sell 5 @103 maker as a : unsupported_combination/orders
        bob    oco L | sell 5 @103 maker as a | buy 5 sl stop=96 as b : unsupported_combination/side
        bob    oco L | sell 5 @103 maker as a | sell 6 sl stop=96 as b : unsupported_combination/size
        bob    oco L | sell 5 @103 as a | sell 5 sl stop=96 as b : unsupported_combination/type
        bob    oco L | sell 5 sl stop=103 as a | sell 5 @96 maker as b : unsupported_combination/type
        bob    oco L | sell 5 @103 maker as a | sell 5 sl stop=96 as a : duplicate_client_order_id
        bob    oco L | sell 5 @103 maker as a | sell 5 sl stop=0 as b : price_filter/below.stop_price
        bob    oco L | sell 5 @103 maker as a | sell 5 sl stop=104 as b : oco_prices_wrong
        bob    oco L | sell 5 @103 maker as a | sell 5 sl stop=101 as b : oco_prices_wrong/below
        bob    oco L | sell 5 @95 maker as a | sell 5 sl stop=94 as b : would_match_immediately/above
        bob    oto L | buy 5 as a | sell 5 @99 as b : unsupported_combination/working.type
        bob    oto L | buy 5 @30 as a | sell ~5 as b : unsupported_combination/pending.quote_amount
        bob    otoco L | buy 5 @30 as a | sell 5 @103 maker as b | sell 5 @90 as d : unsupported_combination/type
        bob    oco L | sell 2000000 @103 maker as a | sell 2000000 sl stop=96 as b : lot_size/above.size
        bob    oco L | buy 20000 @110 sl stop=104 as a | buy 20000 @97 maker as b : insufficient_balance
        status halted                        :
        bob    oco L | sell 5 @103 maker as a | sell 5 sl stop=96 as b : market_halted/above
        """  # noqa: E501 the table's columns
    )
