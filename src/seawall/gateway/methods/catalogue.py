"""All methods of the API.  The rule: the reference lists them in this order."""

from seawall.gateway.context import Method
from seawall.gateway.methods import (
    account,
    amend,
    candles,
    deposits,
    derivatives,
    general,
    history,
    market,
    order_lists,
    orders,
    own,
    own_funding,
    replace,
    tickers,
    transfers,
    user_streams,
    wallet,
    withdrawals,
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
    *deposits.METHODS,
    *withdrawals.METHODS,
    *transfers.METHODS,
    *derivatives.METHODS,
    *own.METHODS,
    *own_funding.METHODS,
)
