"""All methods of the API.  The rule: the reference lists them in this order."""

from seawall.gateway.context import Method
from seawall.gateway.methods import (
    account,
    amend,
    candles,
    derivatives,
    general,
    history,
    market,
    order_lists,
    orders,
    own,
    replace,
    tickers,
    user_streams,
    wallet,
)

ALL: tuple[Method, ...] = (
    *general.METHODS,
    *market.METHODS,
    *candles.METHODS,
    *tickers.METHODS,
    *orders.METHODS,
    *amend.METHODS,
    *replace.METHODS,
    *order_lists.METHODS,
    *history.METHODS,
    *account.METHODS,
    *user_streams.METHODS,
    *wallet.METHODS,
    *derivatives.METHODS,
    *own.METHODS,
)
