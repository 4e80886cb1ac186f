"""All commands, statuses and order types at random.  The rule: nothing breaks, nothing is lost.

After each command the whole state is checked (`story.Exchange.commit`), and a twin that is dumped
and loaded before each command must say the same and end the same.
"""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.story import INSTRUMENT, Exchange, parse, show

from seawall.core.state_digest import digest_spot
from seawall.model import events as e

WIDE = msgspec.structs.replace(
    INSTRUMENT,
    bid_up_ppm=10**9,
    ask_up_ppm=10**9,
    bid_down_ppm=0,
    ask_down_ppm=0,
    max_algo_orders=8,
    max_orders=12,
)
FUNDS = 2_000

users = st.sampled_from(["alice", "bob", "carol", "dave"])
prices = st.integers(90, 110)
sizes = st.integers(1, 9)
sides = st.sampled_from(["buy", "sell"])
names = st.integers(0, 9).map("n{}".format)
modes = st.sampled_from(["", "stp=EXPIRE_MAKER", "stp=EXPIRE_TAKER", "stp=DECREMENT"])
kinds = st.sampled_from(["", "", "", "ice=2", "ioc", "fok", "maker"])
trails = st.sampled_from(["", "", "trail=100", "trail=400"])
lists = st.integers(0, 2).map("L{}".format)


def line(pattern: str, **parts: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    """Return lines in which each {part} is drawn anew."""
    return st.fixed_dictionaries(parts).map(lambda drawn: pattern.format(**drawn))


limits = line(
    "{u} {s} {n} @{p} {k} {m} as {c}",
    u=users, s=sides, n=sizes, p=prices, k=kinds, m=modes, c=names,
)  # fmt: skip
stops = line(
    "{u} {s} {n} {k} stop={p} {t} {m} as {c}",
    u=users, s=sides, n=sizes, k=st.sampled_from(["sl", "tp"]), p=prices, t=trails, m=modes,
    c=names,
)  # fmt: skip
stop_limits = line(
    "{u} {s} {n} @{q} {k} stop={p} {t} as {c}",
    u=users, s=sides, n=sizes, k=st.sampled_from(["sl", "tp"]), p=prices, q=prices, t=trails,
    c=names,
)  # fmt: skip
pairs = line(
    "{u} oco {l} | sell {n} @{h} maker as {a} | sell {n} sl stop={b} as {c}",
    u=users, l=lists, n=sizes, h=st.integers(101, 110), b=st.integers(90, 100), a=names, c=names,
)  # fmt: skip
buy_pairs = line(
    "{u} oco {l} | buy {n} sl stop={h} as {a} | buy {n} @{b} maker as {c}",
    u=users, l=lists, n=sizes, h=st.integers(101, 110), b=st.integers(90, 100), a=names, c=names,
)  # fmt: skip
contingent = line(
    "{u} otoco {l} | buy {n} @{p} as {a}"
    " | sell {n} tp stop={h} as {b} | sell {n} sl stop={q} as {c}",
    u=users, l=lists, n=sizes, p=prices, h=st.integers(101, 110), q=st.integers(90, 99),
    a=names, b=names, c=names,
)  # fmt: skip
lines = st.one_of(
    limits,
    limits,
    limits,
    stops,
    stop_limits,
    pairs,
    buy_pairs,
    contingent,
    line("{u} {s} {n} {m} as {c}", u=users, s=sides, n=sizes, m=modes, c=names),
    line("{u} {s} ~{n}00 {m} as {c}", u=users, s=sides, n=sizes, m=modes, c=names),
    line(
        "{u} oto {l} | {s} {n} @{p} as {a} | {t} {n} as {b}",
        u=users, l=lists, s=sides, t=sides, n=sizes, p=prices, a=names, b=names,
    ),
    line("{u} cancel {c}", u=users, c=names),
    line("{u} amend {c} {n}", u=users, c=names, n=sizes),
    line(
        "{u} replace {r} {d} | {s} {n} @{p} as {c}",
        u=users, r=st.sampled_from(["stop_on_failure", "allow_failure"]), d=names, s=sides,
        n=sizes, p=prices, c=names,
    ),
    line("{u} cancel_all", u=users),
    line("{u} cancel_list {l}", u=users, l=lists),
    line("{u} countdown {n}000", u=users, n=st.integers(0, 3)),
    line("tick {n}", n=st.integers(1, 3)),
    line(
        "status {s}",
        s=st.sampled_from(["open"] * 3 + ["auction", "post_only", "cancel_only", "halted"]),
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(lines, min_size=20, max_size=60))
def test_nothing_breaks_and_a_reload_changes_nothing(story: list[str]) -> None:
    exchange = Exchange(WIDE, FUNDS)
    twin = Exchange(WIDE, FUNDS)
    for exchange_or_twin in (exchange, twin):
        for text in ("tier 0 1000 2000", "alice sell 1 @100 as s", "bob buy 1 @100 as b"):
            exchange_or_twin.commit(parse(text.split())[0])
    trades = 0
    for text in story:
        command, later_ns = parse(text.split())
        twin.reload()
        happened = exchange.commit(command, later_ns)
        assert show(twin.commit(command, later_ns)) == show(happened), text
        trades += sum(isinstance(event, e.Traded) for event in happened)
    assert digest_spot(exchange.state) == digest_spot(twin.state)
    assert exchange.state.markets["AB"].next_trade_id == trades + 2
