"""Stories of trading as plain tables.  The rule: a line is a command and all that came of it.

    play('''
        alice  sell 10 @100 as s   : +s
        bob    buy 4 @101 as b     : +b s:4@100
        book   6@100 |
    ''')

One market, AB: base A, quote B, tick, lot and atom all 1, so that money is read off the page.  An
order is `side size [@price] [words] [as name]`; `~300` for a size is an amount of quote.  Words:
`ioc fok maker sl tp stop=95 trail=500 ice=2 stp=DECREMENT`.  Outcomes: `+b` accepted, `s:4@100`
it traded 4 at 100 with s, `-s` canceled, `s!` began to work, `s?reason` expired, `s~2/3`
a self-trade took 2 off it and 3 off the maker s, `s=5` amended to 5, `L.` a list is done, else a
rejection as `reason` or `reason/detail`.  `book` gives what asks | bids show, best first.

Each story is played twice, the second time with the state dumped and loaded between all lines.
"""

from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.snapshots import dump_spot, load_spot
from seawall.core.spot_state import SpotState
from seawall.model import commands as c
from seawall.model import events as e
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.trading import (
    CancelReplaceMode,
    CancelRestriction,
    Contingency,
    MarketStatus,
    OrderType,
    Side,
    StpMode,
    TimeInForce,
)

AB = Symbol("AB")
USERS = {"alice": UserId(1), "bob": UserId(2), "carol": UserId(3), "dave": UserId(4)}
SECOND_NS = 1_000_000_000

INSTRUMENT = Instrument(
    symbol=AB,
    base=AssetCode("A"),
    quote=AssetCode("B"),
    base_decimals=0,
    quote_decimals=0,
    price_decimals=0,
    tick_price=1,
    lot_size=1,
    min_price=1,
    max_price=1_000_000,
    min_size=1,
    max_size=1_000_000,
    max_market_size=500_000,
    min_notional=1,
    max_notional=10**12,
    stp_default=StpMode.NONE,
)


class Exchange:
    """A spot cell with its journal's sequence and clock."""

    def __init__(self, instrument: Instrument = INSTRUMENT, funds: int = 1_000_000) -> None:
        self.state = SpotState()
        for code in ("A", "B"):
            self.commit(c.ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=0)))
        self.commit(c.SetFeeTier(tier=FeeTier(tier=0, maker_ppm=0, taker_ppm=0)))
        self.commit(c.ListMarket(instrument=instrument))
        for user_id in USERS.values():
            for code in ("A", "B"):
                self.credit(user_id, code, funds)

    def credit(self, user_id: UserId, code: str, atoms: int) -> None:
        self.commit(
            c.Credit(user_id=user_id, asset=AssetCode(code), atoms=atoms, reference="start")
        )

    def commit(
        self, command: c.SpotCommand, later_ns: int = 1_000, command_id: str = ""
    ) -> list[e.Event]:
        """Apply the command; check the whole state, and that a refusal changed nothing."""
        before = dump_spot(self.state)
        events = commit_spot(
            self.state,
            command,
            sequence=self.state.sequence + 1,
            at_ns=self.state.at_ns + later_ns,
            command_id=command_id,
        )
        check_spot(self.state)
        if len(events) == 1 and isinstance(events[0], e.CommandRejected):
            again = load_spot(before)
            again.sequence = self.state.sequence
            again.at_ns = self.state.at_ns
            assert dump_spot(again) == dump_spot(self.state), "a refusal changes nothing"
        return events

    def reload(self) -> None:
        data = dump_spot(self.state)
        self.state = load_spot(data)
        assert dump_spot(self.state) == data


def play(story: str, instrument: Instrument = INSTRUMENT, funds: int = 1_000_000) -> None:
    """Play the story straight, then with a reload between all lines."""
    for reloads in (False, True):
        exchange = Exchange(instrument, funds)
        for line in story.strip().splitlines():
            text = line.split("#")[0].strip()
            if text:
                _play_line(exchange, text)
                if reloads:
                    exchange.reload()


def _play_line(exchange: Exchange, text: str) -> None:
    line, _, expected = text.partition(" :")
    words = line.split()
    if words[0] == "book":
        assert show_book(exchange.state) == " ".join(words[1:]), text
        return
    if words[1] == "has":
        ledger = exchange.state.ledger
        for word in words[2:]:
            code, _, amounts = word.partition("=")
            balance = ledger.balance(USERS[words[0]], code)
            assert f"{balance.free}+{balance.held}" == amounts, f"{text}: {code}"
        return
    command, later_ns = parse(words)
    happened = exchange.commit(command, later_ns)
    assert show(happened) == " ".join(expected.split()), f"{text}\n  came out as: {show(happened)}"


def parse(words: list[str]) -> tuple[c.SpotCommand, int]:
    """Return the command of a line, and how long after the one before it comes."""
    if words[0] == "tick":
        return c.Tick(), int(words[1]) * SECOND_NS
    if words[0] == "status":
        return c.SetMarketStatus(symbol=AB, status=MarketStatus(words[1]), reason="story"), 1_000
    if words[0] == "tier":
        tier, maker, taker = (int(word) for word in words[1:])
        return c.SetFeeTier(tier=FeeTier(tier=tier, maker_ppm=maker, taker_ppm=taker)), 1_000
    return parse_user(USERS[words[0]], words[1], words[2:]), 1_000


def parse_user(user: UserId, verb: str, words: list[str]) -> c.SpotCommand:
    match verb:
        case "buy" | "sell":
            return parse_order(user, [verb, *words])
        case "oco" | "oto" | "otoco":
            legs = [parse_order(user, leg.split()) for leg in " ".join(words).split("|")[1:]]
            return c.PlaceOrderList(
                user_id=user,
                symbol=AB,
                contingency=Contingency(verb.upper()),
                list_client_order_id=words[0],
                orders=tuple(leg.terms for leg in legs),
                stp_mode=legs[0].stp_mode,
            )
        case "cancel":
            return parse_cancel(user, words)
        case "cancel_all":
            return c.CancelOpenOrders(user_id=user, symbol=AB)
        case "cancel_list":
            return c.CancelOrderList(user_id=user, symbol=AB, list_client_order_id=words[0])
        case "replace":
            cut = words.index("|")
            return c.CancelReplaceOrder(
                mode=CancelReplaceMode(words[0].upper()),
                cancel=parse_cancel(user, words[1:cut]),
                place=parse_order(user, words[cut + 1 :]),
            )
        case "amend":
            return c.AmendOrder(
                user_id=user,
                symbol=AB,
                client_order_id=words[0],
                size=int(words[1]),
                new_client_order_id=words[3] if len(words) > 2 else "",
            )
        case "countdown":
            return c.SetCountdownCancel(user_id=user, symbol=AB, countdown_ms=int(words[0]))
        case "tier":
            return c.SetAccountTier(user_id=user, tier=int(words[0]))
        case "group":
            return c.SetTradeGroup(user_id=user, group=int(words[0]))
        case _:
            raise ValueError(verb)


def parse_cancel(user: UserId, words: list[str]) -> c.CancelOrder:
    restriction = CancelRestriction(words[1].upper()) if len(words) > 1 else None
    return c.CancelOrder(user_id=user, symbol=AB, client_order_id=words[0], restriction=restriction)


def parse_order(user: UserId, words: list[str]) -> c.PlaceOrder:
    """Read `side size [@price] [words] [as name]`."""
    numbers: dict[str, int] = {}
    name = "x"
    kind = ""
    in_force: TimeInForce | None = None
    stp_mode: StpMode | None = None
    numbers["quote_amount" if words[1][0] == "~" else "size"] = int(words[1].lstrip("~"))
    names = {"stop": "stop_price", "trail": "trailing_bps", "ice": "iceberg_size"}
    for index, word in enumerate(words[2:], start=2):
        key, _, value = word.partition("=")
        if word[0] == "@":
            numbers["price"] = int(word[1:])
        elif key in names:
            numbers[names[key]] = int(value)
        elif key == "stp":
            stp_mode = StpMode(value)
        elif word in {"ioc", "fok", "gtc"}:
            in_force = TimeInForce(word.upper())
        elif word in {"maker", "sl", "tp"}:
            kind = word
        elif words[index - 1] == "as":
            name = word
    priced = "price" in numbers
    order_type = {
        "": OrderType.LIMIT if priced else OrderType.MARKET,
        "maker": OrderType.LIMIT_MAKER,
        "sl": OrderType.STOP_LOSS_LIMIT if priced else OrderType.STOP_LOSS,
        "tp": OrderType.TAKE_PROFIT_LIMIT if priced else OrderType.TAKE_PROFIT,
    }[kind]
    if in_force is None and priced and kind != "maker":
        in_force = TimeInForce.GTC
    terms = c.OrderTerms(
        side=Side(words[0].upper()),
        type=order_type,
        client_order_id=name,
        time_in_force=in_force,
        **numbers,
    )
    return c.PlaceOrder(user_id=user, symbol=AB, terms=terms, stp_mode=stp_mode)


def show(events: list[e.Event]) -> str:
    """Write what happened as the right side of a line."""
    return " ".join(word for word in map(show_event, events) if word)


def show_event(event: e.Event) -> str:
    match event:
        case e.CommandRejected():
            return f"{event.reason}/{event.detail}" if event.detail else event.reason
        case e.OrderAccepted():
            return f"+{event.order.client_order_id}"
        case e.Traded():
            taker = f"{event.taker.client_order_id}&" if event.auction else ""
            maker = event.maker.client_order_id
            return f"{taker}{maker}:{event.size_lots}@{event.price_ticks}"
        case e.OrderCanceled():
            return f"-{event.order.client_order_id}"
        case e.OrderTriggered():
            return f"{event.order.client_order_id}!"
        case e.OrderExpired():
            return f"{event.order.client_order_id}?{event.reason}"
        case e.MatchPrevented():
            return f"{event.maker.client_order_id}~{event.taker_lots}/{event.maker_lots}"
        case e.OrderAmended():
            return f"{event.client_order_id}={event.size_lots}"
        case e.OrderListDone():
            return f"{event.order_list.list_client_order_id}."
        case e.CancelReplaceDecided():
            placed = event.place_reason or "yes" if event.place_attempted else "unasked"
            return f"({event.cancel_reason or 'yes'},{placed})"
        case _:
            return ""


def show_book(state: SpotState) -> str:
    """Write what the book shows: asks | bids, best first."""
    market = state.markets[AB]
    sides = [
        " ".join(f"{level.visible_lots}@{level.price_ticks}" for level in side.best_first())
        for side in (market.asks, market.bids)
    ]
    return " | ".join(sides).strip()
