"""Commands as they are journaled: exact at any size, refusing what they do not know."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.command_strategies import commands
from tests.texts import CHARACTERS

from seawall.model.commands import (
    Credit,
    SpotCommand,
    SpotRecord,
    Tick,
    decode_identity_record,
    decode_spot_record,
    encode_record,
)
from seawall.model.ids import AssetCode, UserId


@given(command=commands, at_ns=st.integers(1, 2**70), command_id=st.text(CHARACTERS, max_size=8))
def test_every_command_survives_the_journal(
    command: SpotCommand, at_ns: int, command_id: str
) -> None:
    record = SpotRecord(at_ns=at_ns, command=command, command_id=command_id)
    assert decode_spot_record(encode_record(record)) == record


def test_integers_have_no_limit() -> None:
    command = Credit(user_id=UserId(1), asset=AssetCode("A"), atoms=10**60 + 1, reference="r")
    record = SpotRecord(at_ns=1, command=command)
    assert decode_spot_record(encode_record(record)).command == command


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"at_ns":1}',
        b'{"at_ns":1,"command":{"type":"no_such_command"}}',
        b'{"at_ns":1,"command":{"type":"tick","more":1}}',
        b'{"at_ns":1.5,"command":{"type":"tick"}}',
        b'{"at_ns":"1","command":{"type":"tick"}}',
        b'{"at_ns":NaN,"command":{"type":"tick"}}',
        b'{"at_ns":1,"command":{"type":"tick"},"epoch":1}',
        b'{"at_ns":1,"command":{"type":"tick"}',
        b'{"at_ns":1,"command":{"type":"create_user","name":"spot has no users"}}',
        b'{"at_ns":1,"command":{"type":"cancel_open_orders","user_id":1.0,"symbol":"AB"}}',
        b'{"at_ns":1,"command":{"type":"set_market_status","status":"ajar"}}',
    ],
)
def test_what_is_not_a_spot_record_is_refused(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_spot_record(payload)


def test_the_cells_share_ticks_but_not_orders() -> None:
    tick = encode_record(SpotRecord(at_ns=1, command=Tick()))
    assert decode_identity_record(tick).command == Tick()
