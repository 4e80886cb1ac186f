"""Why a command was refused.  The rule: listed in the order of precedence, never renumbered.

A rejection is an answer: it is journaled with its command, changes nothing, and the gateway turns
it into the code and message that Binance clients know.
"""

from enum import StrEnum


class Rejection(StrEnum):
    """Listed in the order the core checks them."""

    # what is asked for does not exist
    UNKNOWN_ASSET = "unknown_asset"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_USER = "unknown_user"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_TIER = "unknown_tier"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_ORDER_LIST = "unknown_order_list"
    ALREADY_EXISTS = "already_exists"
    INVALID_DEFINITION = "invalid_definition"
    REFERENCE_REUSED = "reference_reused"
    # the market's status forbids it
    MARKET_HALTED = "market_halted"
    MARKET_CANCEL_ONLY = "market_cancel_only"
    MARKET_POST_ONLY = "market_post_only"
    MARKET_IN_AUCTION = "market_in_auction"
    INVALID_STATUS_CHANGE = "invalid_status_change"
    # the order contradicts itself or the instrument
    UNSUPPORTED_ORDER_TYPE = "unsupported_order_type"
    UNSUPPORTED_COMBINATION = "unsupported_combination"
    UNSUPPORTED_STP_MODE = "unsupported_stp_mode"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    PRICE_FILTER = "price_filter"
    PERCENT_PRICE_BY_SIDE = "percent_price_by_side"
    LOT_SIZE = "lot_size"
    MARKET_LOT_SIZE = "market_lot_size"
    NOTIONAL = "notional"
    ICEBERG_PARTS = "iceberg_parts"
    ICEBERG_EXCEEDS_SIZE = "iceberg_exceeds_size"
    TRAILING_DELTA = "trailing_delta"
    MAX_NUM_ORDERS = "max_num_orders"
    MAX_NUM_ALGO_ORDERS = "max_num_algo_orders"
    MAX_NUM_ICEBERG_ORDERS = "max_num_iceberg_orders"
    MAX_POSITION = "max_position"
    BOOK_FULL = "book_full"
    # the order against the book
    WOULD_TRIGGER_IMMEDIATELY = "would_trigger_immediately"
    OCO_PRICES_WRONG = "oco_prices_wrong"
    WOULD_MATCH_IMMEDIATELY = "would_match_immediately"
    NO_LIQUIDITY = "no_liquidity"
    # the order against the account
    INSUFFICIENT_BALANCE = "insufficient_balance"
    # cancel and amend
    CANCEL_RESTRICTED = "cancel_restricted"
    AMEND_NOT_SMALLER = "amend_not_smaller"
    AMEND_PENDING = "amend_pending"
    CANCEL_REPLACE_FAILED = "cancel_replace_failed"
    COUNTDOWN_OUT_OF_RANGE = "countdown_out_of_range"
    # identity
    MAX_NUM_API_KEYS = "max_num_api_keys"
    # money between cells, in and out
    UNKNOWN_NETWORK = "unknown_network"
    UNKNOWN_LISTING = "unknown_listing"
    UNKNOWN_TRANSFER = "unknown_transfer"
    UNKNOWN_DEPOSIT = "unknown_deposit"
    UNKNOWN_WITHDRAWAL = "unknown_withdrawal"
    OUT_OF_ORDER = "out_of_order"
    INDEX_TAKEN = "index_taken"
    WITHDRAWALS_PAUSED = "withdrawals_paused"
    WITHDRAWALS_LIMITED = "withdrawals_limited"
    BELOW_MINIMUM = "below_minimum"
    TOO_MANY_DECIMALS = "too_many_decimals"
    ADDRESS_INVALID = "address_invalid"
    OWN_ADDRESS = "own_address"
    ADDRESS_NOT_IN_BOOK = "address_not_in_book"
    ADDRESS_WAITING = "address_waiting"
    ADDRESS_BOOK_FULL = "address_book_full"
    DAILY_LIMIT = "daily_limit"
    WRONG_STATE = "wrong_state"
    NOT_CANCELABLE = "not_cancelable"
    SAME_PERSON = "same_person"
    OUT_OF_TURN = "out_of_turn"
    HOT_WALLET_LOW = "hot_wallet_low"
    SLOT_TAKEN = "slot_taken"
    SLOTS_DIFFER = "slots_differ"
    NOT_FINAL = "not_final"
    # incident control
    LEASE_RUN_OUT = "lease_run_out"
    TRANSFERS_PAUSED = "transfers_paused"
    STALE_ORDER = "stale_order"
    RUNBOOK_INVALID = "runbook_invalid"
    UNKNOWN_WATCHER = "unknown_watcher"
    REPORT_REPEATED = "report_repeated"
    REPORT_CLOCK = "report_clock"
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_INCIDENT = "unknown_incident"
    UNKNOWN_PLAN = "unknown_plan"
    UNKNOWN_MAINTENANCE = "unknown_maintenance"
    NOT_TOWARDS_LESS = "not_towards_less"
    STILL_CLOSED = "still_closed"
    PLAN_ENDED = "plan_ended"
    WRONG_STAGE = "wrong_stage"

    @property
    def transient(self) -> bool:
        """Whether the same command may succeed later, unchanged."""
        return self in _TRANSIENT


_TRANSIENT = frozenset(
    {
        Rejection.MARKET_HALTED,
        Rejection.MARKET_CANCEL_ONLY,
        Rejection.MARKET_POST_ONLY,
        Rejection.MARKET_IN_AUCTION,
        Rejection.DUPLICATE_CLIENT_ORDER_ID,
        Rejection.PERCENT_PRICE_BY_SIDE,
        Rejection.MAX_NUM_ORDERS,
        Rejection.MAX_NUM_ALGO_ORDERS,
        Rejection.MAX_NUM_ICEBERG_ORDERS,
        Rejection.MAX_POSITION,
        Rejection.MAX_NUM_API_KEYS,
        Rejection.BOOK_FULL,
        Rejection.WOULD_TRIGGER_IMMEDIATELY,
        Rejection.OCO_PRICES_WRONG,
        Rejection.WOULD_MATCH_IMMEDIATELY,
        Rejection.NO_LIQUIDITY,
        Rejection.INSUFFICIENT_BALANCE,
        Rejection.CANCEL_RESTRICTED,
        Rejection.OUT_OF_ORDER,
        Rejection.WITHDRAWALS_PAUSED,
        Rejection.WITHDRAWALS_LIMITED,
        Rejection.ADDRESS_WAITING,
        Rejection.DAILY_LIMIT,
        Rejection.OUT_OF_TURN,
        Rejection.HOT_WALLET_LOW,
        Rejection.NOT_FINAL,
        Rejection.LEASE_RUN_OUT,
        Rejection.TRANSFERS_PAUSED,
        Rejection.STILL_CLOSED,
    }
)
