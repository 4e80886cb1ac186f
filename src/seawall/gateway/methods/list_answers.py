"""How order lists are shown.  The rule: an OTOCO list is an OTO to Binance's clients."""

from seawall.core.spot_state import Market
from seawall.gateway.methods import order_answers
from seawall.gateway.params import Params
from seawall.model.commands import OrderTerms
from seawall.model.events import OrderAccepted, OrderCanceled, OrderListDone
from seawall.model.orders import OrderList
from seawall.model.trading import Contingency, OrderListStatus
from seawall.node.driver import Committed
from seawall.views.rows import OrderListRow


def contingency_text(contingency: Contingency) -> str:
    return "OCO" if contingency is Contingency.OCO else "OTO"


def _head(
    order_list: OrderList,
    at_ns: int,
    params: Params,
    *,
    done: bool,
    client_ids: list[tuple[int, str]],
) -> dict[str, object]:
    return {
        "orderListId": order_list.order_list_id,
        "contingencyType": contingency_text(order_list.contingency),
        "listStatusType": "ALL_DONE" if done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": order_list.list_client_order_id,
        "transactionTime": params.time(at_ns),
        "symbol": order_list.symbol,
        "orders": [
            {"symbol": order_list.symbol, "orderId": order_id, "clientOrderId": client_id}
            for order_id, client_id in client_ids
        ],
    }


def list_placed(
    market: Market,
    order_list: OrderList,
    terms: tuple[OrderTerms, ...],
    committed: Committed,
    params: Params,
    response: str | None,
) -> dict[str, object]:
    """Answer a new list with the reports of its orders, in the list's order."""
    placed = [
        event.order
        for event in committed.events
        if isinstance(event, OrderAccepted) and event.order.order_list is order_list
    ]
    placed.sort(key=lambda order: order.order_id)
    done = any(
        isinstance(event, OrderListDone) and event.order_list is order_list
        for event in committed.events
    )
    legs = list(zip(placed, terms, strict=True))
    answer = _head(
        order_list,
        committed.at_ns,
        params,
        done=done,
        client_ids=[(order.order_id, leg.client_order_id) for order, leg in legs],
    )
    oco = order_list.contingency is Contingency.OCO
    answer["orderReports"] = [
        order_answers.accepted(
            market,
            order,
            leg,
            committed.events,
            committed.at_ns,
            params,
            response or order_answers.RESULT,
            pending=not oco and place > 0,
        )
        for place, (order, leg) in enumerate(legs)
    ]
    return answer


def list_canceled(
    market: Market, order_list: OrderList, cancel_id: str, committed: Committed, params: Params
) -> dict[str, object]:
    """Answer for a list that was canceled."""
    answer = _head(
        order_list,
        committed.at_ns,
        params,
        done=True,
        client_ids=[(order.order_id, order.client_order_id) for order in order_list.orders],
    )
    answer["orderReports"] = [
        order_answers.canceled(
            market,
            event.order,
            cancel_id or event.cancel_client_order_id or event.order.client_order_id,
            committed.at_ns,
            params,
        )
        for event in committed.events
        if isinstance(event, OrderCanceled) and event.order.order_list is order_list
    ]
    return answer


def list_row(row: OrderListRow, params: Params) -> dict[str, object]:
    """Show a list as GET /api/v3/orderList does."""
    done = row.status is OrderListStatus.ALL_DONE
    return {
        "orderListId": row.order_list_id,
        "contingencyType": contingency_text(row.contingency),
        "listStatusType": "ALL_DONE" if done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": row.list_client_order_id,
        "transactionTime": params.time(row.updated_ns),
        "symbol": row.symbol,
        "orders": [
            {"symbol": row.symbol, "orderId": order_id, "clientOrderId": client_order_id}
            for order_id, client_order_id in row.orders
        ],
    }
