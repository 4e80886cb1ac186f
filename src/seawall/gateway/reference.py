"""Writes `docs/reference/{api,errors}.md`.  The rule: the tables in the code are the reference.

    python -m seawall.gateway.reference docs/reference

A test compares the files with what this writes.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from seawall.gateway import errors
from seawall.gateway.cluster import CLUSTER_CALLS
from seawall.gateway.context import Method, Security
from seawall.gateway.control_operator import CONTROL_CALLS
from seawall.gateway.errors import REJECTIONS
from seawall.gateway.funding_operator import FUNDING_CALLS
from seawall.gateway.methods.catalogue import ALL
from seawall.gateway.operator import OPERATOR_CALLS
from seawall.gateway.status_routes import STATUS_CALLS
from seawall.gateway.user_reports import USER_REPORT_CALLS
from seawall.gateway.watch_reports import WATCH_CALLS
from seawall.model.rejections import Rejection

_API_HEAD = """\
# The API

Generated from the route table; `python -m seawall.gateway.reference docs/reference` writes it.

The paths below `/api`, `/sapi`, `/fapi` and `/dapi` answer as Binance's do: change a client's base
URL and it works. What that format has no room for stands below `/seawall/v1`. Methods with a name
in the last column are also offered over `/ws-api/v3`, under that name.

- **Security.** `NONE` asks nothing. `USER_STREAM` asks for a known key in `X-MBX-APIKEY`.
  `USER_DATA`, `TRADE` and `WITHDRAW` ask for a signed request: `timestamp`, optional `recvWindow`
  (5000 ms, at most 60000), and `signature` over query and body as sent, joined without a separator
  (HMAC-SHA256 in hexadecimal, or Ed25519 in base64), by a key with the permission `read`,
  `trade` or `withdraw`.
- **Parameters** may come in the query, in a form body, or in both; the query holds where both
  name one. A parameter that a method does not read is refused, except where marked lenient.
- **Times** are milliseconds; `X-MBX-TIME-UNIT: MICROSECOND` asks for microseconds.
- **Weight** counts against 6000 per minute and address; see [errors](errors.md) for 429 and 418.
- **Orders** count against 100 per 10 seconds and 200000 per day and account, refused ones too; the
  first fill of an order takes one off again.
- **`X-Seawall-Command-Id`** on a call that changes orders makes it happen at most once, across
  retries and restarts: a repeat is answered with the present state of what the first one did. Over
  sockets it is `commandId`, beside `id` and `method`; a user's ids are the same over both.
- **`X-Seawall-Sequence`** of an answer: every entry of the journal up to this one is in it (the
  funding cell's where it tells of that, else the spot cell's). From
  the answer to a question, streams [go on](streams.md#going-on-where-one-left-off).
- **What may be old.** A node of a cluster asks the journal before it answers what is a user's own.
  If the journal does not answer, it tells what it knew last: `X-Seawall-As-Of` (the moment; the
  cell; its sequence), `X-Seawall-Stale` (for how many seconds it is not known whether something is
  missing, or `unknown`), and in objects `asOf`, `sequence` and `stale` too. Public trades and
  candles do the same. Books, tickers, average prices and `order/test` are of use only as they are
  now: they are refused with -1001; quotes are told if `X-Seawall-Last-Known: 1` asks for them.
  Below `/seawall/v1` each object always has `asOf`, `sequence`, `stale` and `current`. See
  [never a false zero](../promises/never-a-false-zero.md).
- Not offered: RSA keys, pegged orders, smart order routing, SBE and FIX.
"""

_ERRORS_HEAD = """\
# Errors

Generated from the code; `python -m seawall.gateway.reference docs/reference` writes it.

An error is `{"code": -1121, "msg": "Invalid symbol."}`. Clients match on the code and on the exact
text, so both are part of the contract.

| HTTP | meaning |
|---|---|
| 400 | the request is wrong, or the exchange refused it; nothing was changed |
| 401 | no such key, or not with these rights, or not from this address |
| 403 | for operators only, or in a demo only |
| 404, 405 | no such path, or not with this verb |
| 409 | half of a cancel-replace succeeded, or a command id was used for something else |
| 413, 431 | the body or the head is too large |
| 418 | this address is banned for a while: see `Retry-After` |
| 429 | too much asked: see `Retry-After` |
| 503 | -1001 and -1008: surely not executed; -1007: it may have been, ask again |

Three texts of -1001 are a cluster's: the journal has no majority, nobody leads at the moment, and
what is so now is not known here. The first and the last name what was last known: match on their
beginning.
"""


def api_page() -> str:
    lines = [_API_HEAD, "| request | security | weight | orders | parameters | over sockets |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [_row(method) for method in ALL if method.rest]
    lines += ["", "## What each does", ""]
    lines += [f"- `{method.rest[0]}`: {method.summary}" for method in ALL if method.rest]
    lines += [
        "",
        "## What users report",
        "",
        "It works while nothing else does; see [the page of it](../internals/user-reports.md).",
        "",
        "| request | who | what |",
        "|---|---|---|",
    ]
    lines += [f"| `{path}` | {who} | {what} |" for path, who, what in USER_REPORT_CALLS]
    lines += ["", "## Incident control", "", "| request | who | what |", "|---|---|---|"]
    lines += [f"| `{path}` | {who} | {what} |" for path, who, what in (*WATCH_CALLS, *STATUS_CALLS)]
    lines += [
        "",
        "## Operators",
        "",
        "From the machine itself and from addresses in `gateway.operators`, with the token of",
        "`operator.token`, or a person's own, in `X-Seawall-Operator`; bodies are JSON. With a",
        "token of one's own, `person` is one's own name, and roles say what is refused with 403:",
        "[operators](../operating/operators.md).",
        "",
        "| request | body | does |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{path}` | `{body}` | {does} |"
        for path, body, does in (*OPERATOR_CALLS, *FUNDING_CALLS, *CLUSTER_CALLS, *CONTROL_CALLS)
    ]
    return "\n".join(lines) + "\n"


def _row(method: Method) -> str:
    paths = "<br>".join(f"`{route}`" for route in method.rest)
    weight = str(method.weight) if method.weigh is None else "varies"
    names = " ".join(sorted(method.params)) or "-"
    if method.lenient:
        names += " (lenient)"
    orders = str(method.order_count) if method.order_count else "-"
    shown = f"`{method.name}`" if method.websocket else "-"
    return f"| {paths} | {Security(method.security)} | {weight} | {orders} | {names} | {shown} |"


def errors_page() -> str:
    lines = [
        _ERRORS_HEAD,
        "## Refusals of the exchange",
        "",
        "These were journaled with their command. *Order* stands for -2010 where an order was",
        "placed, -2011 where one was to be canceled, -2038 where one was to be amended. *Again*",
        "says whether the same command may succeed later.",
        "",
        "| refusal | code | text | again |",
        "|---|---|---|---|",
    ]
    lines += list(_rejections(Rejection))
    lines += ["", "## Refusals of the gateway", "", "| code | text |", "|---|---|"]
    lines += [f"| {error.code} | {error.message} |" for error in _gateway_errors()]
    return "\n".join(lines) + "\n"


def _rejections(reasons: Iterable[Rejection]) -> Iterator[str]:
    for reason in reasons:
        code, text = REJECTIONS[reason]
        again = "yes" if reason.transient else "no"
        yield f"| `{reason}` | {code or '*order*'} | {text} | {again} |"


def _gateway_errors() -> list[errors.ApiError]:
    """Return one of each of the gateway's own errors, by code."""
    found = [
        errors.internal(), errors.unavailable(), errors.no_majority("…"), errors.no_leader(),
        errors.not_current("…"), errors.operator_refused(),
        errors.outcome_unknown(), errors.overloaded(), errors.zero("quantity"),
        errors.zero("price"), errors.demo_only(), errors.stale_timestamp(),
        errors.early_timestamp(), errors.bad_signature(), errors.undecodable(),
        errors.illegal_characters("…", "…"), errors.duplicate_parameter(),
        errors.too_many_parameters(0, 1), errors.missing("…"), errors.either_missing("…", "…"),
        errors.recv_window_too_long(60_000), errors.unread(0, 1), errors.empty("…"),
        errors.not_required("…"), errors.overflow("…"), errors.too_precise("…"),
        errors.bad_time_in_force(), errors.bad_order_type(), errors.bad_side(),
        errors.bad_interval(), errors.bad_symbol(), errors.bad_symbol_status(),
        errors.unknown_listen_key(), errors.lookup_too_long(24), errors.bad_combination(),
        errors.invalid_value("…"), errors.command_id_reused(), errors.bad_strategy_type(),
        errors.bad_json(),
        errors.bad_ticker_type(), errors.bad_cancel_restrictions(), errors.duplicate_symbols(),
        errors.oco_type(), errors.oco_iceberg(), errors.oco_limit_misplaced(buy=True),
        errors.oco_limit_misplaced(buy=False), errors.oco_both_limit(), errors.bad_time_unit(),
        errors.oco_stop_misplaced(buy=True), errors.oco_stop_misplaced(buy=False),
        errors.oco_profit_misplaced(buy=True), errors.oco_profit_misplaced(buy=False),
        errors.no_such_order(), errors.bad_key_format(), errors.bad_key(),
        errors.no_such_order_list(), errors.cancel_replace_partial(None),
        errors.cancel_replace_failed(None), errors.no_treasury(), errors.not_listed(),
        errors.bad_address("…"), errors.sign_in_paused("…"),
    ]  # fmt: skip
    found.sort(key=lambda error: -error.code)
    return found


PAGES = {"api.md": api_page, "errors.md": errors_page}


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
