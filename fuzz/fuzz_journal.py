"""Garbage for what reads journals and captures.  The rule: a named error, or what can be written.

PYTHONPATH=src python fuzz/fuzz_journal.py -max_total_time=60
"""

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["seawall"]):
    from msgspec import MsgspecError

    from seawall.journal.port import frame, unframe
    from seawall.lab.capture import CaptureError, decode_line
    from seawall.lib.invariants import invariant
    from seawall.model.commands import (
        decode_identity_record,
        decode_spot_record,
        encode_record,
    )

START = b'{"at_ns":1,"command":{"type":"'
RECORD_ERRORS = (MsgspecError, UnicodeDecodeError)


def framed(data: atheris.FuzzedDataProvider) -> None:
    """Bytes that unframe are the bytes that framing writes."""
    whole = data.ConsumeBytes(300)
    with suppress(ValueError):
        invariant(frame(unframe(whole)) == whole, "a frame has one reading")


def spot_record(data: atheris.FuzzedDataProvider) -> None:
    """A record that decodes is written, read and written the same."""
    with suppress(*RECORD_ERRORS):
        record = decode_spot_record(START + data.ConsumeBytes(400))
        written = encode_record(record)
        invariant(decode_spot_record(written) == record, "a record survives being written")


def identity_record(data: atheris.FuzzedDataProvider) -> None:
    """The same, for the identity cell."""
    with suppress(*RECORD_ERRORS):
        record = decode_identity_record(START + data.ConsumeBytes(400))
        written = encode_record(record)
        invariant(decode_identity_record(written) == record, "a record survives being written")


def capture_line(data: atheris.FuzzedDataProvider) -> None:
    """A line of a capture is understood, passed over or refused."""
    with suppress(CaptureError):
        decode_line(b"1 " + data.ConsumeBytes(400))


TARGETS = (framed, spot_record, identity_record, capture_line)


def one_input(data: bytes) -> None:
    """Try one input on the target that its first byte chooses."""
    provider = atheris.FuzzedDataProvider(data)
    TARGETS[provider.ConsumeIntInRange(0, len(TARGETS) - 1)](provider)


SEEDS = (
    b'tick"}}',
    b'lead","epoch":1,"node":"solo"},"command_id":"a"}',
    b'credit","user_id":1,"asset":"BTC","atoms":10,"reference":"r"}}',
    (
        b'place_order","user_id":1,"symbol":"BTCUSDT","terms":{"side":"BUY","type":"LIMIT",'
        b'"client_order_id":"c","time_in_force":"GTC","size":1,"price":1}}}'
    ),
    b'create_api_key","user_id":1,"api_key":"k","kind":"hmac","material":"m"}}',
    b'{"stream":"btcusdt@trade","data":{"s":"A","t":1,"p":"1","q":"1","T":1,"m":true}}',
    frame([b"one", b"", b"three"]),
)
"""What the decoders do take: msgspec's inside is not watched, so chance alone finds little."""


def main() -> None:
    """Fuzz, from each seed on each target."""
    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            for target in range(len(TARGETS)):
                # The provider takes its choice from the end.
                (Path(corpus) / f"{number}-{target}").write_bytes(seed + bytes([target]))
        atheris.Setup([*sys.argv, corpus], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
