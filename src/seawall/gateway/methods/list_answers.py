"""How order lists are shown.  The rule: an OTOCO list is an OTO to Binance's clients."""

from collections.abc import Iterable

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


def list_orders(symbol: str, orders: Iterable[tuple[int, str]]) -> list[dict[str, object]]:
    """Show which orders are in a list, by (order id, client order id)."""
    return [
        {"symbol": symbol, "orderId": order_id, "clientOrderId": client_order_id}
        for order_id, client_order_id in orders
    ]


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
        "orders": list_orders(row.symbol, row.orders),
    }


def live_list_row(
    order_list: OrderList,
    *,
    updated_ns: int,
    status: OrderListStatus = OrderListStatus.EXEC_STARTED,
    client_order_ids: Iterable[str] = (),
) -> OrderListRow:
    """Return a list's row from the core; its orders' client ids are theirs unless given."""
    names = client_order_ids or [order.client_order_id for order in order_list.orders]
    ids = [order.order_id for order in order_list.orders]
    return OrderListRow(
        order_list_id=order_list.order_list_id,
        user_id=order_list.user_id,
        symbol=order_list.symbol,
        contingency=order_list.contingency,
        status=status,
        list_client_order_id=order_list.list_client_order_id,
        created_ns=order_list.created_ns,
        updated_ns=updated_ns,
        orders=list(zip(ids, names, strict=True)),
    )


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
    row = live_list_row(
        order_list,
        updated_ns=committed.at_ns,
        status=OrderListStatus.ALL_DONE if done else OrderListStatus.EXEC_STARTED,
        client_order_ids=[leg.client_order_id for leg in terms],
    )
    answer = list_row(row, params)
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
        for place, (order, leg) in enumerate(zip(placed, terms, strict=True))
    ]
    return answer


def list_canceled(
    market: Market, order_list: OrderList, cancel_id: str, committed: Committed, params: Params
) -> dict[str, object]:
    """Answer for a list that was canceled."""
    row = live_list_row(order_list, updated_ns=committed.at_ns, status=OrderListStatus.ALL_DONE)
    answer = list_row(row, params)
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
