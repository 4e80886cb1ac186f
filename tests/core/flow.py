"""A seeded flow of commands that knows the state it meets.  The rule: one seed, one flow, for ever.

Where Hypothesis finds small surprises, this makes long busy days: books fill, stops cascade, lists
end, auctions uncross, and about one command in fifteen is wrong in some way.
"""

from seawall.core.spot_state import Market, SpotState
from seawall.lib.prng import Prng
from seawall.model.commands import (
    AmendOrder,
    CancelOpenOrders,
    CancelOrder,
    CancelOrderList,
    CancelReplaceOrder,
    ChangeMarket,
    Checkpoint,
    Credit,
    Lead,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    PlaceOrderList,
    SetAccountTier,
    SetCountdownCancel,
    SetFeeTier,
    SetMarketStatus,
    SetTradeGroup,
    SpotCommand,
    Tick,
)
from seawall.model.ids import AssetCode, Epoch, OrderId, OrderListId, Sequence, Symbol, UserId
from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.orders import Order
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

USERS = 9
WEI = 10**18
ABSURD = (0, -1, 1, 7, 2**63, 2**64, 10**30, 10**40)


def instruments() -> list[Instrument]:
    """Return two markets: everyday decimals, and eighteen decimals with huge supplies."""
    everyday = Instrument(
        symbol=Symbol("LTCUSDT"),
        base=AssetCode("LTC"),
        quote=AssetCode("USDT"),
        base_decimals=8,
        quote_decimals=8,
        tick_price=1_000_000,
        lot_size=100_000,
        min_price=1_000_000,
        max_price=10**13,
        min_size=100_000,
        max_size=10**14,
        max_market_size=10**13,
        min_notional=10**8,
        max_notional=10**18,
        max_algo_orders=12,
        max_position=0,
    )
    vast = Instrument(
        symbol=Symbol("SHIBETH"),
        base=AssetCode("SHIB"),
        quote=AssetCode("ETH"),
        base_decimals=18,
        quote_decimals=18,
        price_decimals=18,
        tick_price=10**6,
        lot_size=WEI,
        min_price=10**6,
        max_price=10**18,
        min_size=WEI,
        max_size=10**14 * WEI,
        max_market_size=10**13 * WEI,
        min_notional=10**12,
        max_notional=10**30,
        max_algo_orders=12,
    )
    return [everyday, vast]


def opening() -> list[SpotCommand]:
    """Return the set-up: leader, assets, markets, tiers, groups, money."""
    found: list[SpotCommand] = [Lead(epoch=Epoch(1), node="flow")]
    for code, decimals in (("LTC", 8), ("USDT", 8), ("SHIB", 18), ("ETH", 18)):
        found.append(
            ListAsset(asset=Asset(code=AssetCode(code), name=f"{code} coin", decimals=decimals))
        )
    found += [ListMarket(instrument=instrument) for instrument in instruments()]
    found += [
        SetFeeTier(tier=FeeTier(tier=1, maker_ppm=100, taker_ppm=400)),
        SetFeeTier(tier=FeeTier(tier=2, maker_ppm=0, taker_ppm=1, max_orders=400)),
    ]
    for user in range(1, USERS + 1):
        poor = 1_000 if user == USERS else 1
        for code, atoms in (
            ("LTC", 10**13),
            ("USDT", 10**15),
            ("SHIB", 10**13 * WEI),
            ("ETH", 10**6 * WEI),
        ):
            found.append(
                Credit(
                    user_id=UserId(user),
                    asset=AssetCode(code),
                    atoms=atoms // poor,
                    reference="opening",
                )
            )
        if user % 3 == 0:
            found.append(SetAccountTier(user_id=UserId(user), tier=user // 3 % 3))
    found += [SetTradeGroup(user_id=UserId(user), group=1) for user in (4, 5)]
    return found


class Flow:
    """Yields one command after the other for the state as it is."""

    def __init__(self, seed: int, state: SpotState) -> None:
        self.prng = Prng(seed)
        self.state = state
        self.named = 0

    def after_ns(self) -> int:
        """Return how long after the entry before the next one comes."""
        if self.prng.chance(1, 40):
            return self.prng.between(1, 90) * 1_000_000_000
        return self.prng.between(1, 300_000_000)

    def next(self) -> SpotCommand:
        market = self.prng.choice(list(self.state.markets.values()))
        is_auction = market.status is MarketStatus.AUCTION
        if market.status is not MarketStatus.OPEN and self.prng.chance(1, 30 if is_auction else 10):
            return self._status(market, MarketStatus.OPEN)
        kind = self.prng.below(1_000)
        if kind < 520:
            return self._place(market)
        if kind < 600:
            return self._list(market)
        if kind < 700:
            return self._cancel(market)
        if kind < 760:
            return self._amend(market)
        if kind < 830:
            cancel = self._cancel(market)
            mode = self.prng.choice(tuple(CancelReplaceMode))
            return CancelReplaceOrder(mode=mode, cancel=cancel, place=self._place(market))
        if kind < 850:
            return self._cancel_list(market)
        if kind < 870:
            return CancelOpenOrders(user_id=self._user(), symbol=Symbol(market.symbol))
        if kind < 885:
            return self._status(market, self.prng.choice(tuple(MarketStatus)))
        if kind < 895:
            return self._status(market, MarketStatus.AUCTION)
        if kind < 920:
            return Tick()
        if kind < 950:
            countdown_ms = self._odd(self.prng.between(0, 5) * 1_000)
            return SetCountdownCancel(
                user_id=self._user(), symbol=Symbol(market.symbol), countdown_ms=countdown_ms
            )
        return self._set_up(market)

    # Set-up

    def _status(self, market: Market, status: MarketStatus) -> SetMarketStatus:
        return SetMarketStatus(
            symbol=Symbol(market.symbol),
            status=status,
            reason="flow",
            automatic=self.prng.chance(1, 4),
        )

    def _set_up(self, market: Market) -> SpotCommand:
        kind = self.prng.below(8)
        prng = self.prng
        if kind == 0:
            atoms = self._odd(10 ** prng.between(8, 20))
            name = str(prng.below(6))
            return Credit(
                user_id=self._user(), asset=AssetCode(market.quote), atoms=atoms, reference=name
            )
        if kind == 1:
            return SetAccountTier(user_id=self._user(), tier=prng.below(4))
        if kind == 2:
            rate = self._odd(prng.below(5_000))
            return SetFeeTier(tier=FeeTier(tier=prng.below(3), maker_ppm=rate // 2, taker_ppm=rate))
        if kind == 3:
            return SetTradeGroup(user_id=self._user(), group=self._odd(prng.below(3)))
        if kind == 4:
            instrument = prng.choice(instruments())
            if prng.chance(1, 2):
                return ListMarket(instrument=instrument)
            return ChangeMarket(instrument=instrument)
        if kind == 5:
            decimals = self._odd(prng.below(20))
            return ListAsset(
                asset=Asset(code=AssetCode(f"X{prng.below(4)}"), name="x", decimals=decimals)
            )
        if kind == 6:
            return Checkpoint(sequence=Sequence(self.state.sequence), digest="flow")
        return Lead(epoch=Epoch(self.state.epoch + 1), node="flow")

    # Orders

    def _user(self) -> UserId:
        if self.prng.chance(1, 60):
            return UserId(self.prng.choice((0, -1, 77, 2**70)))
        return UserId(self.prng.between(1, USERS))

    def _odd(self, usual: int) -> int:
        return self.prng.choice(ABSURD) if self.prng.chance(1, 60) else usual

    def _name(self) -> str:
        if self.prng.chance(1, 8):
            return f"again{self.prng.below(20)}"
        self.named += 1
        return f"n{self.named}"

    def _middle(self, market: Market) -> int:
        """Return a price in ticks around which the market trades."""
        bid = market.bids.best()
        ask = market.asks.best()
        if bid is not None and ask is not None:
            return max(40, (bid.price_ticks + ask.price_ticks) // 2)
        return max(40, market.last_ticks or 6_000)

    def _price(self, market: Market, is_buy: bool, distance: int) -> int:
        """Return a price `distance` ticks into its own side; negative reaches over."""
        ticks = self._middle(market) + (-distance if is_buy else distance)
        return self._odd(max(1, ticks) * market.tick_price)

    def _size(self, market: Market) -> int:
        lots = self.prng.between(1, 40) * (25 if market.symbol == "LTCUSDT" else 10**9)
        return self._odd(lots * market.lot_size)

    def _place(self, market: Market) -> PlaceOrder:
        symbol = "NOSUCH" if self.prng.chance(1, 150) else market.symbol
        stp_mode = self.prng.choice(tuple(StpMode)) if self.prng.chance(1, 3) else None
        return PlaceOrder(
            user_id=self._user(),
            symbol=Symbol(symbol),
            terms=self._terms(market),
            stp_mode=stp_mode,
        )

    def _terms(self, market: Market) -> OrderTerms:
        side = self.prng.choice(tuple(Side))
        is_buy = side is Side.BUY
        kind = self.prng.below(100)
        size = self._size(market)
        name = self._name()
        if kind < 45:
            return self._limit(market, side, size, name)
        if kind < 60:
            if self.prng.chance(1, 3):
                amount = self._odd(size // market.lot_size * 6_000 * market.atoms_per_tick_lot)
                return OrderTerms(
                    side=side, type=OrderType.MARKET, client_order_id=name, quote_amount=amount
                )
            return OrderTerms(side=side, type=OrderType.MARKET, client_order_id=name, size=size)
        if kind < 72:
            price = self._price(market, is_buy, self.prng.between(1, 12))
            return OrderTerms(
                side=side, type=OrderType.LIMIT_MAKER, client_order_id=name, size=size, price=price
            )
        stops = (
            OrderType.STOP_LOSS,
            OrderType.STOP_LOSS_LIMIT,
            OrderType.TAKE_PROFIT,
            OrderType.TAKE_PROFIT_LIMIT,
        )
        return self._stop(market, side, self.prng.choice(stops), size, name)

    def _limit(self, market: Market, side: Side, size: int, name: str) -> OrderTerms:
        price = self._price(market, side is Side.BUY, self.prng.between(-6, 12))
        time_in_force = TimeInForce.GTC
        iceberg_size = None
        if self.prng.chance(1, 5):
            time_in_force = self.prng.choice(tuple(TimeInForce))
        elif self.prng.chance(1, 5):
            iceberg_size = max(1, size // market.lot_size // 4) * market.lot_size
        return OrderTerms(
            side=side,
            type=OrderType.LIMIT,
            client_order_id=name,
            size=size,
            price=price,
            time_in_force=time_in_force,
            iceberg_size=iceberg_size,
            strategy_id=7 if self.prng.chance(1, 20) else None,
        )

    def _stop(
        self, market: Market, side: Side, kind: OrderType, size: int, name: str
    ) -> OrderTerms:
        is_buy = side is Side.BUY
        is_loss = kind in {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT}
        away = self.prng.between(1, 15)
        stop_price = self._price(market, is_buy, -away if is_loss else away)
        is_limit = kind in {OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT}
        trails = self.prng.chance(1, 4)
        slack = self.prng.between(-5, 5) * market.tick_price
        return OrderTerms(
            side=side,
            type=kind,
            client_order_id=name,
            size=size,
            price=stop_price + slack if is_limit else None,
            stop_price=None if trails and self.prng.chance(1, 2) else stop_price,
            trailing_bps=self._odd(self.prng.between(10, 60)) if trails else None,
            time_in_force=self.prng.choice(tuple(TimeInForce)) if is_limit else None,
        )

    def _list(self, market: Market) -> PlaceOrderList:
        contingency = self.prng.choice(tuple(Contingency))
        side = self.prng.choice(tuple(Side))
        other = Side.SELL if side is Side.BUY else Side.BUY
        size = self._size(market)
        orders: list[OrderTerms] = []
        if contingency is not Contingency.OCO:
            orders.append(self._limit(market, side, size, self._name()))
        if contingency is Contingency.OTO:
            orders.append(self._limit(market, other, size, self._name()))
        else:
            pair_side = side if contingency is Contingency.OCO else other
            orders += self._pair(market, pair_side, size)
        if self.prng.chance(1, 20):
            orders.reverse()
        return PlaceOrderList(
            user_id=self._user(),
            symbol=Symbol(market.symbol),
            contingency=contingency,
            list_client_order_id=self._name(),
            orders=tuple(orders),
            stp_mode=self.prng.choice(tuple(StpMode)) if self.prng.chance(1, 4) else None,
        )

    def _pair(self, market: Market, side: Side, size: int) -> list[OrderTerms]:
        is_buy = side is Side.BUY
        if self.prng.chance(2, 3):
            profit = OrderTerms(
                side=side,
                type=OrderType.LIMIT_MAKER,
                client_order_id=self._name(),
                size=size,
                price=self._price(market, is_buy, self.prng.between(1, 9)),
            )
        else:
            kind = self.prng.choice((OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT))
            profit = self._stop(market, side, kind, size, self._name())
        kind = self.prng.choice((OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT))
        loss = self._stop(market, side, kind, size, self._name())
        return [loss, profit] if is_buy else [profit, loss]

    # Open orders

    def _some_open(self, market: Market) -> Order | None:
        user = self.prng.between(1, USERS)
        account = self.state.accounts.get(user)
        if account is None:
            return None
        orders = [o for o in account.open_orders.values() if o.symbol == market.symbol]
        return self.prng.choice(orders) if orders else None

    def _cancel(self, market: Market) -> CancelOrder:
        found = self._some_open(market)
        restriction = None
        if self.prng.chance(1, 6):
            restriction = self.prng.choice(tuple(CancelRestriction))
        if found is None or self.prng.chance(1, 15):
            return CancelOrder(
                user_id=self._user(),
                symbol=Symbol(market.symbol),
                order_id=OrderId(self.prng.below(self.state.next_order_id + 5)),
                restriction=restriction,
            )
        by_name = self.prng.chance(1, 2)
        return CancelOrder(
            user_id=UserId(found.user_id),
            symbol=Symbol(market.symbol),
            order_id=None if by_name else OrderId(found.order_id),
            client_order_id=found.client_order_id if by_name else None,
            cancel_client_order_id=self._name() if self.prng.chance(1, 3) else "",
            restriction=restriction,
        )

    def _amend(self, market: Market) -> AmendOrder:
        found = self._some_open(market)
        if found is None:
            return AmendOrder(
                user_id=self._user(),
                symbol=Symbol(market.symbol),
                client_order_id=self._name(),
                size=self._size(market),
            )
        left = max(1, found.open_lots)
        lots = found.size_lots - self.prng.between(0, left)
        return AmendOrder(
            user_id=UserId(found.user_id),
            symbol=Symbol(market.symbol),
            order_id=OrderId(found.order_id),
            new_client_order_id=self._name() if self.prng.chance(1, 3) else "",
            size=self._odd(lots * market.lot_size),
        )

    def _cancel_list(self, market: Market) -> CancelOrderList:
        user = self.prng.between(1, USERS)
        account = self.state.accounts.get(user)
        lists = [] if account is None else list(account.open_lists.values())
        if not lists:
            return CancelOrderList(
                user_id=UserId(user), symbol=Symbol(market.symbol), order_list_id=OrderListId(1)
            )
        found = self.prng.choice(lists)
        by_name = self.prng.chance(1, 2)
        return CancelOrderList(
            user_id=UserId(user),
            symbol=Symbol(found.symbol),
            order_list_id=None if by_name else OrderListId(found.order_list_id),
            list_client_order_id=found.list_client_order_id if by_name else None,
            cancel_client_order_id="by-list",
        )
