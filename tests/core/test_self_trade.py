"""Stories of self-trade prevention: every mode, users and groups."""

import pytest
from tests.core.story import play

BOOK = """
    bob    sell 5 @100 {maker} as own        : +own
    carol  sell 5 @100 as other              : +other
"""
MODES = [
    ("NONE", "+t own:5@100 other:3@100", "2@100 |"),
    ("EXPIRE_TAKER", "+t own~8/0 t?self_trade_prevention", "10@100 |"),
    ("EXPIRE_MAKER", "+t own~0/5 own?self_trade_prevention other:5@100", "| 3@100"),
    (
        "EXPIRE_BOTH",
        "+t own~8/5 own?self_trade_prevention t?self_trade_prevention",
        "5@100 |",
    ),
    ("DECREMENT", "+t own~5/5 own?self_trade_prevention other:3@100", "2@100 |"),
    ("TRANSFER", "+t own~5/5 own?self_trade_prevention other:3@100", "2@100 |"),
]


@pytest.mark.parametrize(("mode", "outcome", "book"), MODES)
def test_the_takers_mode_decides(mode: str, outcome: str, book: str) -> None:
    play(
        BOOK.format(maker="")
        + f"""
        bob    buy 8 @100 stp={mode} as t    : {outcome}
        book   {book}
        """
    )


@pytest.mark.parametrize(("mode", "outcome", "book"), MODES[:5])
def test_users_of_one_group_are_one(mode: str, outcome: str, book: str) -> None:
    play(
        "bob group 7 :\ndave group 7 :"
        + BOOK.format(maker="")
        + f"""
        dave   buy 8 @100 stp={mode} as t    : {outcome}
        book   {book}
        """
    )


def test_transfer_moves_between_the_accounts_of_a_group_if_both_ask_for_it() -> None:
    play("""
        bob    group 7                           :
        dave   group 7                           :
        bob    sell 5 @100 stp=TRANSFER as own   : +own
        bob    sell 5 @100 as half               : +half
        dave   buy 8 @101 stp=TRANSFER as t      : +t own~5/5 own?self_trade_prevention half~3/3 t?self_trade_prevention
        bob    has A=999993+2 B=1000500+0
        dave   has A=1000005+0 B=999500+0
        book   2@100 |
    """)  # noqa: E501 the table's columns


def test_what_decrement_leaves_goes_on() -> None:
    play("""
        bob    sell 5 @100 ice=2 as own          : +own
        carol  sell 1 @100 as other              : +other
        bob    buy 4 @100 stp=DECREMENT as t     : +t own~2/2 other:1@100 own~1/1 t?self_trade_prevention
        book   1@100 |
        bob    has A=999999+2 B=999900+0
    """)  # noqa: E501 the table's columns


def test_market_orders_and_fill_or_kill_foresee_what_is_prevented() -> None:
    play("""
        bob    sell 5 @100 as own1               : +own1
        carol  sell 5 @110 as other              : +other
        bob    buy 5 @110 fok stp=DECREMENT as f : +f f?not_fillable
        bob    buy 6 @110 fok stp=EXPIRE_MAKER as f : +f f?not_fillable
        bob    buy 5 @110 fok stp=EXPIRE_MAKER as f : +f own1~0/5 own1?self_trade_prevention other:5@110
        bob    has A=1000005+0 B=999450+0
        bob    sell 5 @100 as own2               : +own2
        carol  sell 5 @120 as more               : +more
        bob    buy 3 stp=EXPIRE_MAKER as m1      : +m1 own2~0/5 own2?self_trade_prevention more:3@120
        bob    sell 1 @100 as own3               : +own3
        bob    buy ~330 stp=DECREMENT as m2      : +m2 own3~1/1 own3?self_trade_prevention more:1@120
        bob    buy ~100 stp=EXPIRE_TAKER as m3   : +m3 m3?amount_below_one_lot
        bob    sell 1 @100 as own4               : +own4
        bob    buy ~300 stp=EXPIRE_TAKER as m4   : +m4 own4~3/0 m4?self_trade_prevention
    """)  # noqa: E501 the table's columns


def test_a_mode_may_be_missing_from_an_instrument_and_has_a_default() -> None:
    play("""
        bob    sell 5 @100 as own                : +own
        bob    buy 5 @100 as t                   : +t own:5@100   # the default here is NONE
    """)
