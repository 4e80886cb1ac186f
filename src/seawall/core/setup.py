"""Assets, markets, tiers and credits.  The rule: what is listed keeps its units for ever."""

from seawall.core.fees import PPM
from seawall.core.spot_state import Market, SpotState
from seawall.model.commands import (
    ChangeMarket,
    Credit,
    ListAsset,
    ListMarket,
    SetAccountTier,
    SetFeeTier,
    SetTradeGroup,
)
from seawall.model.events import (
    AccountTierSet,
    AssetListed,
    CommandRejected,
    Credited,
    Event,
    FeeTierSet,
    MarketChanged,
    MarketListed,
    TradeGroupSet,
)
from seawall.model.ids import EXTERNAL
from seawall.model.instruments import Instrument, InstrumentError
from seawall.model.limits import ASSET_DECIMALS
from seawall.model.rejections import Rejection


def list_asset(state: SpotState, command: ListAsset, events: list[Event]) -> None:
    asset = command.asset
    if asset.code in state.assets:
        events.append(CommandRejected(Rejection.ALREADY_EXISTS))
    elif not asset.code or not 0 <= asset.decimals <= ASSET_DECIMALS:
        events.append(CommandRejected(Rejection.INVALID_DEFINITION, "decimals"))
    else:
        state.assets[asset.code] = asset
        events.append(AssetListed(asset))


def list_market(state: SpotState, command: ListMarket, events: list[Event]) -> None:
    instrument = command.instrument
    refused = _check_instrument(state, instrument)
    if refused is not None:
        events.append(refused)
    elif instrument.symbol in state.markets:
        events.append(CommandRejected(Rejection.ALREADY_EXISTS))
    else:
        market = Market(instrument)
        market.status_since_ns = state.at_ns
        state.markets[instrument.symbol] = market
        events.append(MarketListed(instrument))


def change_market(state: SpotState, command: ChangeMarket, events: list[Event]) -> None:
    """Take over new filters; orders that are open stay as they were accepted."""
    instrument = command.instrument
    market = state.markets.get(instrument.symbol)
    if market is None:
        events.append(CommandRejected(Rejection.UNKNOWN_SYMBOL))
        return
    refused = _check_instrument(state, instrument)
    if refused is None and _units(instrument) != _units(market.instrument):
        refused = CommandRejected(Rejection.INVALID_DEFINITION, "tick and lot are for ever")
    if refused is not None:
        events.append(refused)
        return
    market.set_instrument(instrument)
    events.append(MarketChanged(instrument))


def _check_instrument(state: SpotState, instrument: Instrument) -> CommandRejected | None:
    base = state.assets.get(instrument.base)
    quote = state.assets.get(instrument.quote)
    if base is None or quote is None:
        missing = instrument.base if base is None else instrument.quote
        return CommandRejected(Rejection.UNKNOWN_ASSET, missing)
    decimals = (base.decimals, quote.decimals)
    if decimals != (instrument.base_decimals, instrument.quote_decimals):
        return CommandRejected(Rejection.INVALID_DEFINITION, "decimals")
    if not 0 <= instrument.price_decimals <= ASSET_DECIMALS:
        return CommandRejected(Rejection.INVALID_DEFINITION, "price_decimals")
    try:
        instrument.check()
    except InstrumentError as error:
        return CommandRejected(Rejection.INVALID_DEFINITION, str(error))
    return None


def _units(instrument: Instrument) -> tuple[str, str, int, int, int]:
    return (
        instrument.base,
        instrument.quote,
        instrument.price_decimals,
        instrument.tick_price,
        instrument.lot_size,
    )


def set_fee_tier(state: SpotState, command: SetFeeTier, events: list[Event]) -> None:
    tier = command.tier
    if not (
        tier.tier >= 0
        and tier.max_orders >= 0
        and 0 <= tier.maker_ppm <= PPM
        and 0 <= tier.taker_ppm <= PPM
    ):
        events.append(CommandRejected(Rejection.INVALID_DEFINITION))
        return
    state.tiers[tier.tier] = tier
    events.append(FeeTierSet(tier))


def set_account_tier(state: SpotState, command: SetAccountTier, events: list[Event]) -> None:
    if command.user_id <= 0:
        events.append(CommandRejected(Rejection.UNKNOWN_USER))
    elif command.tier not in state.tiers:
        events.append(CommandRejected(Rejection.UNKNOWN_TIER))
    else:
        state.account(command.user_id).tier = command.tier
        events.append(AccountTierSet(command.user_id, command.tier))


def set_trade_group(state: SpotState, command: SetTradeGroup, events: list[Event]) -> None:
    if command.user_id <= 0:
        events.append(CommandRejected(Rejection.UNKNOWN_USER))
    elif command.group < 0:
        events.append(CommandRejected(Rejection.INVALID_DEFINITION, "group"))
    else:
        state.account(command.user_id).trade_group = command.group
        events.append(TradeGroupSet(command.user_id, command.group))


def credit(state: SpotState, command: Credit, events: list[Event]) -> None:
    """Bring money in from outside, once per user, asset and reference."""
    key = f"{command.user_id}/{command.asset}/{command.reference}"
    if command.asset not in state.assets:
        events.append(CommandRejected(Rejection.UNKNOWN_ASSET))
    elif command.user_id <= 0:
        events.append(CommandRejected(Rejection.UNKNOWN_USER))
    elif command.atoms <= 0:
        events.append(CommandRejected(Rejection.INVALID_DEFINITION, "atoms"))
    elif key in state.credit_references:
        events.append(CommandRejected(Rejection.REFERENCE_REUSED))
    else:
        state.credit_references[key] = state.sequence
        state.account(command.user_id)
        ledger = state.ledger
        ledger.move(
            ledger.balance(EXTERNAL, command.asset),
            ledger.balance(command.user_id, command.asset),
            command.atoms,
        )
        events.append(Credited(command.user_id, command.asset, command.atoms, command.reference))
