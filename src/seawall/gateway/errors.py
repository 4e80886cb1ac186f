"""Errors as Binance clients know them.  The rule: code and text are part of the contract.

Clients match on the exact message, so each stands here once, named, and nowhere else.
"""

from collections.abc import Mapping

from seawall.gateway.money_errors import CONTROL_REJECTIONS, FUNDING_REJECTIONS
from seawall.model.rejections import Rejection
from seawall.node.errors import (
    InvalidCommandError,
    NodeError,
    NoQuorumError,
    NotLeadingError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)

BAD_REQUEST = 400
UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
TOO_LARGE = 413
BANNED = 418
TOO_MANY = 429
UNAVAILABLE = 503

NEW_ORDER_REJECTED = -2010
CANCEL_REJECTED = -2011
AMEND_REJECTED = -2038
FILTER = -1013


class ApiError(Exception):
    """An answer that refuses: HTTP status, Binance code, exact message."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        retry_after_s: int = 0,
        data: object = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.data = data
        """What goes with the error, as in a failed cancel-replace."""

    def body(self) -> dict[str, object]:
        answer: dict[str, object] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            answer["data"] = self.data
        return answer


def bad(code: int, message: str) -> ApiError:
    return ApiError(BAD_REQUEST, code, message)


# Parameters


def illegal_characters(name: str, legal_range: str) -> ApiError:
    return bad(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal_range}'."
    )


def undecodable() -> ApiError:
    return bad(-1100, "Illegal characters found in a parameter.")


def too_many_parameters(expected: int, received: int) -> ApiError:
    return bad(-1101, f"Too many parameters; expected '{expected}' and received '{received}'.")


def duplicate_parameter() -> ApiError:
    return bad(-1101, "Duplicate values for a parameter detected.")


def missing(name: str) -> ApiError:
    return bad(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def either_missing(first: str, second: str) -> ApiError:
    return bad(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def unread(read: int, sent: int) -> ApiError:
    return bad(
        -1104,
        f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
    )


def empty(name: str) -> ApiError:
    return bad(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> ApiError:
    return bad(-1106, f"Parameter '{name}' sent when not required.")


def overflow(name: str) -> ApiError:
    return bad(-1108, f"Parameter '{name}' overflowed.")


def too_precise(name: str) -> ApiError:
    return bad(-1111, f"Parameter '{name}' has too much precision.")


def zero(name: str) -> ApiError:
    words = {"quantity": "quantity", "price": "price", "stopPrice": "stop price"}
    return bad(FILTER, f"Invalid {words.get(name, name)}.")


def bad_combination(message: str = "Combination of optional parameters invalid.") -> ApiError:
    return bad(-1128, message)


def invalid_value(name: str) -> ApiError:
    return bad(-1130, f"Data sent for parameter '{name}' is not valid.")


def bad_symbol() -> ApiError:
    return bad(-1121, "Invalid symbol.")


def bad_interval() -> ApiError:
    return bad(-1120, "Invalid interval.")


def bad_symbol_status() -> ApiError:
    return bad(-1122, "Invalid symbolStatus.")


def bad_ticker_type() -> ApiError:
    return bad(-1139, "Invalid ticker type.")


def bad_time_in_force() -> ApiError:
    return bad(-1115, "Invalid timeInForce.")


def bad_order_type() -> ApiError:
    return bad(-1116, "Invalid orderType.")


def bad_side() -> ApiError:
    return bad(-1117, "Invalid side.")


def bad_json() -> ApiError:
    return bad(-1135, "Invalid JSON Request")


def bad_time_unit() -> ApiError:
    return bad(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")


def bad_strategy_type() -> ApiError:
    return bad(-1134, "strategyType was less than 1000000.")


def bad_cancel_restrictions() -> ApiError:
    return bad(-1145, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED.")


def duplicate_symbols() -> ApiError:
    return bad(-1151, "Symbol is present multiple times in the list.")


def lookup_too_long(hours: int) -> ApiError:
    return bad(-1127, f"More than {hours} hours between startTime and endTime.")


# Who asks


def bad_key_format() -> ApiError:
    return ApiError(UNAUTHORIZED, -2014, "API-key format invalid.")


def bad_key() -> ApiError:
    return ApiError(UNAUTHORIZED, -2015, "Invalid API-key, IP, or permissions for action.")


def bad_signature() -> ApiError:
    return bad(-1022, "Signature for this request is not valid.")


def stale_timestamp() -> ApiError:
    return bad(-1021, "Timestamp for this request is outside of the recvWindow.")


def early_timestamp() -> ApiError:
    return bad(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def recv_window_too_long(most: int) -> ApiError:
    return bad(-1102, f"'recvWindow' contains unexpected value. Cannot be greater than '{most}'.")


def cannot_resume(reason: str) -> ApiError:
    return bad(-1130, f"Data sent for parameter 'resumeFrom' is not valid: {reason}.")


def unknown_listen_key() -> ApiError:
    return bad(-1125, "This listenKey does not exist.")


# What the exchange says


def no_such_order() -> ApiError:
    return bad(-2013, "Order does not exist.")


def no_such_order_list() -> ApiError:
    return bad(-2018, "Order list does not exist.")


def operator_refused() -> ApiError:
    return ApiError(FORBIDDEN, -1002, "You are not authorized to execute this request.")


def role_missing(name: str, role: str) -> ApiError:
    return ApiError(FORBIDDEN, -1002, f"{name} is not listed with the role {role}.")


def another_person(name: str) -> ApiError:
    return ApiError(FORBIDDEN, -1002, f"This token is {name}'s: 'person' has to be that name.")


def person_has_a_token(name: str) -> ApiError:
    return ApiError(
        FORBIDDEN, -1002, f"{name} has a token of their own, and acts with that one only."
    )


def shared_token_approves_nothing(fault: str) -> ApiError:
    why = f"operators.toml cannot be used: {fault}" if fault else "approvers have their own"
    return ApiError(FORBIDDEN, -1002, f"The shared token approves nothing: {why}.")


def demo_only() -> ApiError:
    return ApiError(FORBIDDEN, -1020, "This operation is not supported.")


def bad_public_key(reason: str) -> ApiError:
    return bad(-1130, f"Data sent for parameter 'publicKey' is not valid: {reason}.")


def no_treasury() -> ApiError:
    return ApiError(
        UNAVAILABLE, -4019, "No treasury runs here: nothing can come in or go out at present."
    )


def treasury_off(reason: str) -> ApiError:
    return ApiError(UNAVAILABLE, -4019, f"Not at present: {reason}.")


def sign_in_paused(reason: str) -> ApiError:
    return ApiError(UNAVAILABLE, -1016, f"Signing in is paused; sessions that run go on: {reason}.")


def not_booked(reason: str) -> ApiError:
    return bad(-1130, f"Data sent for parameter 'transaction' is not valid: {reason}.")


def not_listed() -> ApiError:
    return bad(-4018, "We don't have this asset.")


def bad_address(reason: str) -> ApiError:
    return bad(-4007, f"The address validation is not passed: {reason}.")


def not_found() -> ApiError:
    return ApiError(NOT_FOUND, -1000, "There is nothing at this path.")


def method_not_allowed() -> ApiError:
    return ApiError(405, -1000, "This path does not answer to this method.")


def body_too_large() -> ApiError:
    return ApiError(TOO_LARGE, -1000, "The request's body is too large.")


def internal() -> ApiError:
    return ApiError(500, -1000, "An unknown error occurred while processing the request.")


def unavailable() -> ApiError:
    """Surely not executed."""
    return ApiError(
        UNAVAILABLE, -1001, "Internal error; unable to process your request. Please try again."
    )


def no_majority(last_known: str) -> ApiError:
    """Surely not executed."""
    return ApiError(
        UNAVAILABLE, -1001, f"Not executed, and nothing can be at present: {last_known}."
    )


def no_leader() -> ApiError:
    """Surely not executed."""
    return ApiError(
        UNAVAILABLE,
        -1001,
        "Not executed: nobody leads this part of the exchange at the moment. Please try again.",
    )


def not_current(last_known: str) -> ApiError:
    """Refuse what is of use only as it is now, where that is not known."""
    return ApiError(UNAVAILABLE, -1001, f"What is so now is not known here; {last_known}.")


def outcome_unknown() -> ApiError:
    return ApiError(
        UNAVAILABLE,
        -1007,
        "Timeout waiting for response from backend server."
        " Send status unknown; execution status unknown.",
    )


def overloaded() -> ApiError:
    """Surely not executed."""
    return ApiError(
        UNAVAILABLE,
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    )


def command_id_reused() -> ApiError:
    return ApiError(CONFLICT, -1130, "This command id was used for another command.")


def rejected_duplicate() -> ApiError:
    return bad(NEW_ORDER_REJECTED, "Duplicate order sent.")


def cancel_replace_partial(data: object) -> ApiError:
    return ApiError(CONFLICT, -2021, "Order cancel-replace partially failed.", data=data)


def cancel_replace_failed(data: object) -> ApiError:
    return ApiError(BAD_REQUEST, -2022, "Order cancel-replace failed.", data=data)


def oco_type() -> ApiError:
    return bad(-1158, "Order type not supported in OCO.")


def oco_iceberg() -> ApiError:
    return bad(
        -1160,
        "Parameter 'icebergQty' is not supported if 'timeInForce' is not GTC.",
    )


def oco_both_limit() -> ApiError:
    return bad(-1168, "At least one OCO order must be contingent.")


def oco_limit_misplaced(buy: bool) -> ApiError:
    if buy:
        return bad(-1165, "A limit order in a buy OCO must be below.")
    return bad(-1166, "A limit order in a sell OCO must be above.")


def oco_stop_misplaced(buy: bool) -> ApiError:
    if buy:
        return bad(-1196, "A stop loss order in a buy OCO must be above.")
    return bad(-1197, "A stop loss order in a sell OCO must be below.")


def oco_profit_misplaced(buy: bool) -> ApiError:
    if buy:
        return bad(-1198, "A take profit order in a buy OCO must be below.")
    return bad(-1199, "A take profit order in a sell OCO must be above.")


def of_node(error: NodeError) -> ApiError:
    """Turn the node's trouble into an answer that says if the command may have taken effect."""
    match error:
        case OverloadedError():
            return overloaded()
        case NoQuorumError():
            return no_majority(str(error))
        case NotLeadingError():
            return no_leader()
        case UnavailableError():
            return unavailable()
        case InvalidCommandError():
            return bad(-1130, "Invalid data sent for a parameter.")
        case OutcomeUnknownError() | _:
            return outcome_unknown()


# Rejections

_OF_AN_ORDER = 0
"""Stands for -2010, -2011 or -2038, after the command that was refused."""

REJECTIONS: Mapping[Rejection, tuple[int, str]] = {
    Rejection.UNKNOWN_ASSET: (-1130, "Data sent for parameter 'asset' is not valid."),
    Rejection.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Rejection.UNKNOWN_USER: (-1130, "Data sent for parameter 'user' is not valid."),
    Rejection.UNKNOWN_KEY: (-1125, "This listenKey does not exist."),
    Rejection.UNKNOWN_TIER: (-1130, "Data sent for parameter 'tier' is not valid."),
    Rejection.UNKNOWN_ORDER: (_OF_AN_ORDER, "Unknown order sent."),
    Rejection.UNKNOWN_ORDER_LIST: (_OF_AN_ORDER, "Unknown order list sent."),
    Rejection.ALREADY_EXISTS: (-1130, "What was to be created exists already."),
    Rejection.INVALID_DEFINITION: (-1130, "Invalid data sent for a parameter."),
    Rejection.REFERENCE_REUSED: (-1130, "The id or reference was used before, for something else."),
    Rejection.MARKET_HALTED: (FILTER, "Market is closed."),
    Rejection.MARKET_CANCEL_ONLY: (FILTER, "Market is closed."),
    Rejection.MARKET_POST_ONLY: (_OF_AN_ORDER, "Order would immediately match and take."),
    Rejection.MARKET_IN_AUCTION: (FILTER, "Market is closed."),
    Rejection.INVALID_STATUS_CHANGE: (-1130, "Data sent for parameter 'status' is not valid."),
    Rejection.UNSUPPORTED_ORDER_TYPE: (-1116, "Invalid orderType."),
    Rejection.UNSUPPORTED_COMBINATION: (-1014, "Unsupported order combination."),
    Rejection.UNSUPPORTED_STP_MODE: (
        FILTER,
        "This symbol does not allow the specified self-trade prevention mode.",
    ),
    Rejection.DUPLICATE_CLIENT_ORDER_ID: (_OF_AN_ORDER, "Duplicate order sent."),
    Rejection.PRICE_FILTER: (FILTER, "Filter failure: PRICE_FILTER"),
    Rejection.PERCENT_PRICE_BY_SIDE: (FILTER, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Rejection.LOT_SIZE: (FILTER, "Filter failure: LOT_SIZE"),
    Rejection.MARKET_LOT_SIZE: (FILTER, "Filter failure: MARKET_LOT_SIZE"),
    Rejection.NOTIONAL: (FILTER, "Filter failure: NOTIONAL"),
    Rejection.ICEBERG_PARTS: (FILTER, "Filter failure: ICEBERG_PARTS"),
    Rejection.ICEBERG_EXCEEDS_SIZE: (_OF_AN_ORDER, "IcebergQty exceeds QTY."),
    Rejection.TRAILING_DELTA: (FILTER, "Filter failure: TRAILING_DELTA"),
    Rejection.MAX_NUM_ORDERS: (FILTER, "Filter failure: MAX_NUM_ORDERS"),
    Rejection.MAX_NUM_ALGO_ORDERS: (FILTER, "Filter failure: MAX_NUM_ALGO_ORDERS"),
    Rejection.MAX_NUM_ICEBERG_ORDERS: (FILTER, "Filter failure: MAX_NUM_ICEBERG_ORDERS"),
    Rejection.MAX_POSITION: (FILTER, "Filter failure: MAX_POSITION"),
    Rejection.BOOK_FULL: (FILTER, "Filter failure: EXCHANGE_MAX_NUM_ORDERS"),
    Rejection.WOULD_TRIGGER_IMMEDIATELY: (_OF_AN_ORDER, "Stop price would trigger immediately."),
    Rejection.OCO_PRICES_WRONG: (
        _OF_AN_ORDER,
        "The relationship of the prices for the orders is not correct.",
    ),
    Rejection.WOULD_MATCH_IMMEDIATELY: (
        _OF_AN_ORDER,
        "Order would immediately match and take.",
    ),
    Rejection.NO_LIQUIDITY: (
        _OF_AN_ORDER,
        "Order book liquidity is less than LOT_SIZE filter minimum quantity.",
    ),
    Rejection.INSUFFICIENT_BALANCE: (
        _OF_AN_ORDER,
        "Account has insufficient balance for requested action.",
    ),
    Rejection.CANCEL_RESTRICTED: (
        _OF_AN_ORDER,
        "Order was not canceled due to cancel restrictions.",
    ),
    Rejection.AMEND_NOT_SMALLER: (
        _OF_AN_ORDER,
        "Order amend (quantity increase) is not supported.",
    ),
    Rejection.AMEND_PENDING: (_OF_AN_ORDER, "This order may not be amended while it is pending."),
    Rejection.CANCEL_REPLACE_FAILED: (-2022, "Order cancel-replace failed."),
    Rejection.MAX_NUM_API_KEYS: (-1130, "This user has as many API keys as a user may have."),
    Rejection.COUNTDOWN_OUT_OF_RANGE: (
        -1130,
        "Data sent for parameter 'countdownTime' is not valid.",
    ),
    **FUNDING_REJECTIONS,
    **CONTROL_REJECTIONS,
}


def rejected(reason: Rejection, order_code: int) -> ApiError:
    """Turn a rejection into its answer; `order_code` tells which kind of command was refused."""
    code, message = REJECTIONS[reason]
    return bad(code or order_code, message)
