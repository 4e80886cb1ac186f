"""What clients ask of the wallet when they start.  The rule: nothing is promised that is not there.

Each network of an asset says whether deposits and withdrawals run at this moment, and why not.
"""

from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import amount_text
from seawall.gateway.methods.account import rate_text, tier_of
from seawall.gateway.methods.networks import network_rows
from seawall.gateway.methods.order_terms import known_market
from seawall.gateway.params import Params
from seawall.gateway.valuation import btc_valuation
from seawall.model.ids import FUNDING, SPOT


async def all_coins(context: Context, caller: Caller, params: Params) -> object:
    state = context.node.spot
    owned = state.ledger.balances.get(caller.user_id, {})
    coins: list[dict[str, object]] = []
    for code, asset in state.assets.items():
        balance = owned.get(code)
        free, held = (0, 0) if balance is None else (balance.free, balance.held)
        zero = amount_text(asset, 0)
        networks = network_rows(context, caller.user_id, code)
        in_funding = context.node.funding.ledger.balances.get(caller.user_id, {}).get(code)
        withdrawing = 0 if in_funding is None else in_funding.held
        coins.append(
            {
                "coin": code,
                "name": asset.name,
                "free": amount_text(asset, free),
                "locked": amount_text(asset, held),
                "freeze": zero,
                "withdrawing": amount_text(asset, withdrawing),
                "ipoing": zero,
                "ipoable": zero,
                "storage": zero,
                "isLegalMoney": False,
                "trading": context.node.ready,
                "depositAllEnable": any(row["depositEnable"] for row in networks),
                "withdrawAllEnable": any(row["withdrawEnable"] for row in networks),
                "networkList": networks,
            }
        )
    return coins


async def funding_assets(context: Context, caller: Caller, params: Params) -> object:
    state = context.node.funding
    only = params.text("asset")
    if only is not None and only not in state.book.assets:
        raise errors.invalid_value("asset")
    shown: list[dict[str, object]] = []
    for code, balance in state.ledger.balances.get(caller.user_id, {}).items():
        if (only is not None and code != only) or not (balance.free or balance.held):
            continue
        asset = state.book.assets[code]
        zero = amount_text(asset, 0)
        shown.append(
            {
                "asset": code,
                "free": amount_text(asset, balance.free),
                "locked": zero,
                "freeze": zero,
                "withdrawing": amount_text(asset, balance.held),
                "btcValuation": btc_valuation(context, params, code, balance.free + balance.held),
            }
        )
    return shown


async def trade_fees(context: Context, caller: Caller, params: Params) -> object:
    symbol = params.symbol()
    markets = context.node.spot.markets
    tier = tier_of(context.node.spot, caller.user_id)
    chosen = list(markets) if symbol is None else [known_market(context, symbol).symbol]
    return [
        {
            "symbol": name,
            "makerCommission": rate_text(tier.maker_ppm)[:-2],
            "takerCommission": rate_text(tier.taker_ppm)[:-2],
        }
        for name in chosen
    ]


async def nothing(context: Context, caller: Caller, params: Params) -> object:
    return []


async def account_state(context: Context, caller: Caller, params: Params) -> object:
    return {"data": "Normal"}


async def user_assets(context: Context, caller: Caller, params: Params) -> object:
    state = context.node.spot
    only = params.text("asset")
    if only is not None and only not in state.assets:
        raise errors.invalid_value("asset")
    shown: list[dict[str, object]] = []
    for code, balance in state.ledger.balances.get(caller.user_id, {}).items():
        if (only is not None and code != only) or not (balance.free or balance.held):
            continue
        asset = state.assets[code]
        zero = amount_text(asset, 0)
        shown.append(
            {
                "asset": code,
                "free": amount_text(asset, balance.free),
                "locked": amount_text(asset, balance.held),
                "freeze": zero,
                "withdrawing": zero,
                "ipoable": zero,
                "btcValuation": btc_valuation(context, params, code, balance.free + balance.held),
            }
        )
    return shown


METHODS = (
    Method(
        name="wallet.coins",
        rest=("GET /sapi/v1/capital/config/getall",),
        handler=all_coins,
        security=Security.USER_DATA,
        weight=10,
        lenient=True,
        params=frozenset(),
        cells=(SPOT, FUNDING),
        summary="All assets with spot balances; each network says what runs, and why not.",
    ),
    Method(
        name="wallet.tradeFee",
        rest=("GET /sapi/v1/asset/tradeFee",),
        handler=trade_fees,
        security=Security.USER_DATA,
        lenient=True,
        params=frozenset({"symbol"}),
        summary="What the account pays in each market.",
    ),
    Method(
        name="wallet.userAssets",
        rest=("POST /sapi/v3/asset/getUserAsset",),
        handler=user_assets,
        security=Security.USER_DATA,
        weight=5,
        lenient=True,
        params=frozenset({"asset", "needBtcValuation"}),
        summary="Balances above zero.",
    ),
    Method(
        name="wallet.fundingAssets",
        rest=("POST /sapi/v1/asset/get-funding-asset",),
        handler=funding_assets,
        security=Security.USER_DATA,
        lenient=True,
        params=frozenset({"asset", "needBtcValuation"}),
        cells=(FUNDING,),
        summary="Balances of the funding wallet above zero; what is being withdrawn stands apart.",
    ),
    Method(
        name="wallet.margin.pairs",
        rest=("GET /sapi/v1/margin/allPairs", "GET /sapi/v1/margin/isolated/allPairs"),
        handler=nothing,
        lenient=True,
        always=True,
        cells=(),
        summary="Always empty: there is no margin trading.",
    ),
    Method(
        name="wallet.account.status",
        rest=("GET /sapi/v1/account/status",),
        handler=account_state,
        security=Security.USER_DATA,
        lenient=True,
        always=True,
        cells=(),
        summary="The state of the account.",
    ),
)
