"""Cancel-replace.  The rule: what happened to each half is said, whatever happened to the other."""

from collections.abc import Mapping

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method, Security
from seawall.gateway.errors import ApiError
from seawall.gateway.methods import order_answers, order_terms
from seawall.gateway.methods.orders import (
    PLACE_PARAMS,
    answer_canceled,
    answer_placed,
    first_accepted,
    read_restriction,
    read_which,
    repeated,
    submit,
)
from seawall.gateway.params import Params
from seawall.model.commands import CancelOrder, CancelReplaceOrder, PlaceOrder
from seawall.model.events import CommandRejected, OrderAccepted, OrderCanceled
from seawall.model.ids import UserId
from seawall.model.trading import CancelReplaceMode
from seawall.node.node import Committed

SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
NOT_ATTEMPTED = "NOT_ATTEMPTED"
