"""Commands: what a journal holds.  The rule: fields are only added, and only with defaults.

Each command is imperative, tagged, and refuses unknown fields.  They travel as JSON, because its
integers have no limit.  Prices, sizes and amounts are integers in the units that
`instruments.Instrument` names; parsing decimals is the gateway's work, judging them the core's.
"""

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from seawall.model.ids import AssetCode, Epoch, OrderId, OrderListId, Sequence, Symbol, UserId
from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.messages import Message
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


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all commands share: nothing but the way they are written."""


# Every cell


class Lead(Command, frozen=True, kw_only=True, tag="lead"):
    """A node takes the lead with this epoch; also the first entry of every journal."""

    epoch: Epoch
    node: str


class Tick(Command, frozen=True, kw_only=True, tag="tick"):
    """Time passed; journaled each second without other entries, so that silence is visible."""


class Checkpoint(Command, frozen=True, kw_only=True, tag="checkpoint"):
    """The digest of a replica's whole state after `sequence`; every other compares.

    The leader journals its own now and then; the others only if theirs differ.
    """

    sequence: Sequence
    digest: str
    node: str = ""
    """Whose digest it is; empty where a node is alone."""


# Messages between the cells that hold money


class RequestTransfer(Command, frozen=True, kw_only=True, tag="request_transfer"):
    """Move an amount to another cell; a client id takes effect once per user."""

    user_id: UserId
    target: str
    asset: AssetCode
    atoms: int
    client_transfer_id: str = ""


class Deliver(Command, frozen=True, kw_only=True, tag="deliver"):
    """A message from another cell's outbox; each number is applied once, in order."""

    source: str
    number: int
    message: Message


class Settle(Command, frozen=True, kw_only=True, tag="settle"):
    """The target's answer to a message of this cell's outbox; `refusal` is empty if it took it."""

    target: str
    number: int
    refusal: str = ""


class SetTransfers(Command, frozen=True, kw_only=True, tag="set_transfers"):
    """Let transfers leave this cell, or pause them; what is under way arrives all the same."""

    paused: bool
    reason: str
    person: str = ""
    order: int = 0


# Spot: set-up


class ListAsset(Command, frozen=True, kw_only=True, tag="list_asset"):
    asset: Asset


class ListMarket(Command, frozen=True, kw_only=True, tag="list_market"):
    instrument: Instrument


class ChangeMarket(Command, frozen=True, kw_only=True, tag="change_market"):
    """Replace a market's filters; symbol, assets, tick and lot stay as they were."""

    instrument: Instrument


class SetMarketStatus(Command, frozen=True, kw_only=True, tag="set_market_status"):
    symbol: Symbol
    status: MarketStatus
    reason: str
    automatic: bool = False
    """Ordered by a runbook rather than a person; it may not skip the auction."""
    order: int = 0
    """Number of the control cell's order; one below the last applied is refused.  0: none."""
    collar_bps: int = 0
    """While open: how far orders may stand from the last auction's price; 0 is no collar."""


class SetFeeTier(Command, frozen=True, kw_only=True, tag="set_fee_tier"):
    tier: FeeTier


class SetAccountTier(Command, frozen=True, kw_only=True, tag="set_account_tier"):
    user_id: UserId
    tier: int


class SetTradeGroup(Command, frozen=True, kw_only=True, tag="set_trade_group"):
    """Accounts of one group never trade with each other; 0 is no group."""

    user_id: UserId
    group: int


class Credit(Command, frozen=True, kw_only=True, tag="credit"):
    """Bring an amount in from outside; a `reference` takes effect once per user and asset."""

    user_id: UserId
    asset: AssetCode
    atoms: int
    reference: str


# Spot: orders


class OrderTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One order as its owner asks for it; None where it was not given."""

    side: Side
    type: OrderType
    client_order_id: str
    time_in_force: TimeInForce | None = None
    size: int | None = None
    quote_amount: int | None = None
    price: int | None = None
    stop_price: int | None = None
    trailing_bps: int | None = None
    iceberg_size: int | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None


class PlaceOrder(Command, frozen=True, kw_only=True, tag="place_order"):
    user_id: UserId
    symbol: Symbol
    terms: OrderTerms
    stp_mode: StpMode | None = None


class PlaceOrderList(Command, frozen=True, kw_only=True, tag="place_order_list"):
    """`orders` stand in Binance's order: OCO above, below; OTO working, pending; OTOCO working,
    pending above, pending below.
    """

    user_id: UserId
    symbol: Symbol
    contingency: Contingency
    list_client_order_id: str
    orders: tuple[OrderTerms, ...]
    stp_mode: StpMode | None = None


class CancelOrder(Command, frozen=True, kw_only=True, tag="cancel_order"):
    """Names the order by id, by its client's id, or by both, which must then agree.

    Cancelling one order of a list cancels the list.
    """

    user_id: UserId
    symbol: Symbol
    order_id: OrderId | None = None
    client_order_id: str | None = None
    cancel_client_order_id: str = ""
    """The client's id for this cancel."""
    restriction: CancelRestriction | None = None


class CancelOpenOrders(Command, frozen=True, kw_only=True, tag="cancel_open_orders"):
    user_id: UserId
    symbol: Symbol


class CancelOrderList(Command, frozen=True, kw_only=True, tag="cancel_order_list"):
    user_id: UserId
    symbol: Symbol
    order_list_id: OrderListId | None = None
    list_client_order_id: str | None = None
    cancel_client_order_id: str = ""


class CancelReplaceOrder(Command, frozen=True, kw_only=True, tag="cancel_replace_order"):
    """Cancel one order and place another in one step."""

    mode: CancelReplaceMode
    cancel: CancelOrder
    place: PlaceOrder


class AmendOrder(Command, frozen=True, kw_only=True, tag="amend_order"):
    """Make an order smaller; it keeps its place in the queue."""

    user_id: UserId
    symbol: Symbol
    order_id: OrderId | None = None
    client_order_id: str | None = None
    new_client_order_id: str = ""
    size: int


class SetCountdownCancel(Command, frozen=True, kw_only=True, tag="set_countdown_cancel"):
    """Cancel all of a user's orders in a market unless renewed in time; 0 disarms."""

    user_id: UserId
    symbol: Symbol
    countdown_ms: int


SpotCommand = (
    Lead | Tick | Checkpoint | ListAsset | ListMarket | ChangeMarket | SetMarketStatus
    | SetFeeTier | SetAccountTier | SetTradeGroup | Credit | PlaceOrder | PlaceOrderList
    | CancelOrder | CancelOpenOrders | CancelOrderList | CancelReplaceOrder | AmendOrder
    | SetCountdownCancel | RequestTransfer | Deliver | Settle | SetTransfers
)  # fmt: skip

# Identity


class CreateUser(Command, frozen=True, kw_only=True, tag="create_user"):
    """`name` is unique; the answer carries the user's id."""

    name: str


class CreateApiKey(Command, frozen=True, kw_only=True, tag="create_api_key"):
    """`kind` is hmac or ed25519; `material` a sealed secret, or a public key in PEM."""

    user_id: UserId
    api_key: str
    kind: str
    material: str
    label: str = ""
    permissions: tuple[str, ...] = ("read", "trade")
    ip_allow: tuple[str, ...] = ()
    """Networks in CIDR form; empty allows every address."""


class DeleteApiKey(Command, frozen=True, kw_only=True, tag="delete_api_key"):
    user_id: UserId
    api_key: str


class OpenListenKey(Command, frozen=True, kw_only=True, tag="open_listen_key"):
    """Open a user data stream, or keep the present one for another hour."""

    user_id: UserId
    listen_key: str


class RenewListenKey(Command, frozen=True, kw_only=True, tag="renew_listen_key"):
    user_id: UserId
    listen_key: str


class CloseListenKey(Command, frozen=True, kw_only=True, tag="close_listen_key"):
    user_id: UserId
    listen_key: str


IdentityCommand = (
    Lead | Tick | Checkpoint | CreateUser | CreateApiKey | DeleteApiKey | OpenListenKey
    | RenewListenKey | CloseListenKey
)  # fmt: skip


class SpotRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One journal payload of the spot cell: when, under which command id, what."""

    at_ns: int
    command: SpotCommand
    command_id: str = ""
    origin: str = ""
    """By what token the submitting node knows it again in the journal; of no effect."""


class IdentityRecord(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One journal payload of the identity cell."""

    at_ns: int
    command: IdentityCommand
    command_id: str = ""
    origin: str = ""
    """By what token the submitting node knows it again in the journal; of no effect."""


encode_record = Encoder().encode
decode_spot_record = Decoder(SpotRecord).decode
decode_identity_record = Decoder(IdentityRecord).decode
