"""Futures, which are not there yet.  The rule: clients that look for them find an empty market."""

from seawall.gateway.context import Caller, Context, Method
from seawall.gateway.methods.general import ping, server_time
from seawall.gateway.params import Params


async def exchange_info(context: Context, caller: Caller, params: Params) -> object:
    return {
        "timezone": "UTC",
        "serverTime": params.time(context.now_ns()),
        "rateLimits": context.throttle.limits(),
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
    }


METHODS = (
    Method(
        name="futures.ping",
        rest=("GET /fapi/v1/ping", "GET /dapi/v1/ping"),
        handler=ping,
        lenient=True,
        always=True,
        cells=(),
        summary="Whether the exchange answers.",
    ),
    Method(
        name="futures.time",
        rest=("GET /fapi/v1/time", "GET /dapi/v1/time"),
        handler=server_time,
        lenient=True,
        always=True,
        cells=(),
        summary="The exchange's clock.",
    ),
    Method(
        name="futures.exchangeInfo",
        rest=("GET /fapi/v1/exchangeInfo", "GET /dapi/v1/exchangeInfo"),
        handler=exchange_info,
        lenient=True,
        always=True,
        cells=(),
        summary="No contracts yet.",
    ),
)
