"""Garbage for what reads requests.  The rule: an `ApiError` or an answer, and nothing else.

PYTHONPATH=src python fuzz/fuzz_gateway.py -max_total_time=60
"""

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["seawall"]):
    from seawall.gateway import stream_names, ws_api
    from seawall.gateway.encode import encode_json
    from seawall.gateway.errors import ApiError
    from seawall.gateway.params import Params, merge_pairs
    from seawall.lib.invariants import invariant
    from seawall.model.amounts import format_decimal

DECIMALS = 8


def pairs(data: atheris.FuzzedDataProvider) -> None:
    """A query and a body, then every way to read a parameter."""
    query = data.ConsumeBytes(data.ConsumeIntInRange(0, 200))
    body = data.ConsumeBytes(data.ConsumeIntInRange(0, 200))
    params = Params(merge_pairs(query, body))
    encode_json(params.values)
    for name in list(params.values):
        for read in (params.text, params.integer, params.symbol, params.client_id):
            with suppress(ApiError):
                read(name)
        with suppress(ApiError):
            amount = params.decimal(name, DECIMALS)
            if amount is not None:
                invariant(amount >= 0, "a parameter is never negative")
                format_decimal(amount, DECIMALS)


def stream(data: atheris.FuzzedDataProvider) -> None:
    """A name that parses keeps its name."""
    name = data.ConsumeUnicodeNoSurrogates(80)
    found = stream_names.parse_stream(name)
    if found is not None:
        invariant(found.name == name, "a stream is called what it was asked for as")


def envelope(data: atheris.FuzzedDataProvider) -> None:
    """A message of the WebSocket API, up to its parameters."""
    read = ws_api._read(data.ConsumeBytes(400))  # noqa: SLF001  # what a socket's bytes meet first
    ws_api._id(read)  # noqa: SLF001  # the same
    ws_api._method(read)  # noqa: SLF001  # the same
    values = ws_api._values(read)  # noqa: SLF001  # the same
    ws_api.signature_payload(values)


TARGETS = (pairs, stream, envelope)


def one_input(data: bytes) -> None:
    """Try one input on the target that its first byte chooses."""
    provider = atheris.FuzzedDataProvider(data)
    target = TARGETS[provider.ConsumeIntInRange(0, len(TARGETS) - 1)]
    with suppress(ApiError):
        target(provider)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
