"""What an account has, pays and may do.  The rule: balances come straight from the ledger."""

from seawall.core.spot_state import Market, SpotState
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.encode import ZERO, amount_text
from seawall.gateway.methods.order_terms import market_of
from seawall.gateway.params import Params
from seawall.model.ids import IDENTITY
from seawall.model.instruments import FeeTier

_ACCOUNT_WEIGHT = 20


def tier_of(state: SpotState, user_id: int) -> FeeTier:
    account = state.accounts.get(user_id)
    return state.tiers[0 if account is None else account.tier]


def rate_text(ppm: int) -> str:
    """Return parts per million as a decimal fraction."""
    return f"{ppm // 1_000_000}.{ppm % 1_000_000:06d}00"


def shown_balances(context: Context, user_id: int, *, omit_zero: bool) -> list[dict[str, object]]:
    """Return every listed asset's balance, in the order of listing."""
    state = context.node.spot
    owned = state.ledger.balances.get(user_id, {})
    shown: list[dict[str, object]] = []
    for code, asset in state.assets.items():
        balance = owned.get(code)
        free, held = (0, 0) if balance is None else (balance.free, balance.held)
        if omit_zero and not free and not held:
            continue
        shown.append(
            {"asset": code, "free": amount_text(asset, free), "locked": amount_text(asset, held)}
        )
    return shown


async def account_status(context: Context, caller: Caller, params: Params) -> object:
    state = context.node.spot
    tier = tier_of(state, caller.user_id)
    return {
        "makerCommission": tier.maker_ppm // 100,
        "takerCommission": tier.taker_ppm // 100,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(tier, sides=True),
        "canTrade": "trade" in caller.permissions and context.node.ready,
        "canWithdraw": "withdraw" in caller.permissions and context.addresses is not None,
        "canDeposit": context.addresses is not None,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": params.time(state.at_ns),
        "accountType": "SPOT",
        "balances": shown_balances(
            context, caller.user_id, omit_zero=bool(params.flag("omitZeroBalances"))
        ),
        "permissions": ["SPOT"],
        "uid": caller.user_id,
    }


def _no_discount() -> dict[str, object]:
    return {
        "enabledForAccount": False,
        "enabledForSymbol": False,
        "discountAsset": "BNB",
        "discount": ZERO,
    }


def _rates(tier: FeeTier | None, *, sides: bool = False) -> dict[str, str]:
    """Show a tier's fees, or none; `sides` adds those by side, which are always zero."""
    maker, taker = (0, 0) if tier is None else (tier.maker_ppm, tier.taker_ppm)
    shown = {"maker": rate_text(maker), "taker": rate_text(taker)}
    return shown | {"buyer": ZERO, "seller": ZERO} if sides else shown


async def commission(context: Context, caller: Caller, params: Params) -> object:
    market: Market = market_of(context, params)
    tier = tier_of(context.node.spot, caller.user_id)
    return {
        "symbol": market.symbol,
        "standardCommission": _rates(tier, sides=True),
        "specialCommission": _rates(None, sides=True),
        "taxCommission": _rates(None, sides=True),
        "discount": _no_discount(),
    }


def order_test_commission(context: Context, caller: Caller) -> dict[str, object]:
    """Answer order/test with computeCommissionRates."""
    tier = tier_of(context.node.spot, caller.user_id)
    return {
        "standardCommissionForOrder": _rates(tier),
        "specialCommissionForOrder": _rates(None),
        "taxCommissionForOrder": _rates(None),
        "discount": _no_discount(),
    }


async def order_limits(context: Context, caller: Caller, params: Params) -> object:
    return context.throttle.order_limits(caller.user_id, context.now_ns())


async def restrictions(context: Context, caller: Caller, params: Params) -> object:
    user = context.node.identity.users.get(caller.user_id)
    key = None if user is None else user.api_keys.get(caller.api_key)
    if key is None:
        raise errors.bad_key()
    return {
        "ipRestrict": bool(key.ip_allow),
        "createTime": key.created_ns // 1_000_000,
        "enableReading": "read" in key.permissions,
        "enableSpotAndMarginTrading": "trade" in key.permissions,
        "enableWithdrawals": "withdraw" in key.permissions,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": "trade" in key.permissions,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }


METHODS = (
    Method(
        name="account.status",
        rest=("GET /api/v3/account",),
        websocket=True,
        handler=account_status,
        security=Security.USER_DATA,
        weight=_ACCOUNT_WEIGHT,
        params=frozenset({"omitZeroBalances"}),
        summary="Balances, fees and permissions of the account.",
    ),
    Method(
        name="account.commission",
        rest=("GET /api/v3/account/commission",),
        websocket=True,
        handler=commission,
        security=Security.USER_DATA,
        weight=20,
        params=frozenset({"symbol"}),
        summary="What the account pays in a market.",
    ),
    Method(
        name="account.rateLimits.orders",
        rest=("GET /api/v3/rateLimit/order",),
        websocket=True,
        handler=order_limits,
        security=Security.USER_DATA,
        weight=40,
        always=True,
        cells=(),
        summary="The account's order limits and their counts.",
    ),
    Method(
        name="account.apiRestrictions",
        rest=("GET /sapi/v1/account/apiRestrictions",),
        handler=restrictions,
        security=Security.USER_DATA,
        lenient=True,
        always=True,
        cells=(IDENTITY,),
        summary="What the API key may do.",
    ),
)
