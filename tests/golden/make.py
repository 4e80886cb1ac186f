"""Writes a golden journal for a new release.  The rule: what exists is never written again.

PYTHONPATH=src python -m tests.golden.make VERSION
"""

import sys
from pathlib import Path

from msgspec import json
from tests.core.flow import Flow, opening
from tests.golden.control_flow import ControlFlow
from tests.golden.control_flow import opening as control_opening
from tests.golden.funding_flow import opening as funding_opening
from tests.golden.orders_flow import OrdersFlow, spot_order
from tests.golden.replaying import CELLS, Line, replay

from seawall.core.control.machine import commit_control
from seawall.core.control.state import ControlState
from seawall.core.funding import commit_funding
from seawall.core.funding_state import FundingState
from seawall.core.identity import commit_identity
from seawall.core.identity_state import IdentityState
from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.lib.prng import Prng
from seawall.model.commands import (
    Checkpoint,
    CloseListenKey,
    CreateApiKey,
    CreateUser,
    DeleteApiKey,
    Deliver,
    IdentityCommand,
    IdentityRecord,
    Lead,
    OpenListenKey,
    RenewListenKey,
    RequestTransfer,
    Settle,
    SpotCommand,
    SpotRecord,
    Tick,
    encode_record,
)
from seawall.model.control_commands import ControlRecord
from seawall.model.funding_commands import FundingRecord
from seawall.model.ids import FUNDING, SPOT, AssetCode, Epoch, Sequence, UserId
from seawall.model.messages import MoveFunds

FOLDER = Path(__file__).parent
SEED = 4_021
SPOT_ENTRIES = 2_000
IDENTITY_ENTRIES = 400
FUNDING_ENTRIES = 2_000
CONTROL_ENTRIES = 2_000
START_NS = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z"""


def spot_lines() -> list[Line]:
    """Return a busy day of the spot cell, some of it under command ids, some of those repeated."""
    state = SpotState()
    flow = Flow(SEED, state)
    ahead = opening()
    found: list[Line] = []
    at_ns = START_NS
    while len(found) < SPOT_ENTRIES:
        at_ns += flow.after_ns()
        command_id = f"c{flow.prng.below(400)}" if flow.prng.chance(1, 10) else ""
        if ahead:
            command = ahead.pop(0)
        elif flow.prng.chance(1, 25):
            command = _message(flow.prng, state)
        elif flow.prng.chance(1, 40):
            command = spot_order(flow.prng, state)
        else:
            command = flow.next()
        record = SpotRecord(at_ns=at_ns, command=command, command_id=command_id)
        sequence = state.sequence + 1
        commit_spot(state, command, sequence=sequence, at_ns=at_ns, command_id=command_id)
        found.append(Line(sequence, max(1, state.epoch), encode_record(record)))
    return found


def _message(prng: Prng, state: SpotState) -> SpotCommand:
    """Return a transfer that leaves, arrives or ends; some are repeated, out of order or absurd."""
    user = UserId(prng.between(0, 4))
    asset = AssetCode(prng.choice([*state.assets, "NONE"]))
    box = state.mailbox
    match prng.below(3):
        case 0:
            return RequestTransfer(
                user_id=user,
                target=prng.choice([FUNDING, FUNDING, FUNDING, SPOT, "moon"]),
                asset=asset,
                atoms=prng.between(0, 50_000),
                client_transfer_id=prng.choice(["", f"t{prng.below(20)}"]),
            )
        case 1:
            due = box.inboxes[FUNDING].next_number if FUNDING in box.inboxes else 1
            message = MoveFunds(
                transfer_id=due, user_id=user, asset=asset, atoms=prng.between(0, 50_000)
            )
            return Deliver(
                source=FUNDING, number=max(1, due + prng.choice([0, 0, 0, -1, 1])), message=message
            )
        case _:
            sent = box.outboxes[FUNDING].next_number if FUNDING in box.outboxes else 1
            refusal = prng.choice(["", "", "unknown_asset"])
            return Settle(target=FUNDING, number=prng.between(1, sent), refusal=refusal)


def identity_lines() -> list[Line]:
    """Return a day of the identity cell: users, keys and streams come, run out and go."""
    state = IdentityState()
    prng = Prng(SEED)
    found: list[Line] = []
    at_ns = START_NS
    while len(found) < IDENTITY_ENTRIES:
        at_ns += prng.between(1, 600) * 1_000_000_000
        command = _identity_command(prng, state) if found else Lead(epoch=Epoch(1), node="golden")
        command_id = f"c{prng.below(60)}" if prng.chance(1, 10) else ""
        record = IdentityRecord(at_ns=at_ns, command=command, command_id=command_id)
        sequence = state.sequence + 1
        commit_identity(state, command, sequence=sequence, at_ns=at_ns, command_id=command_id)
        found.append(Line(sequence, state.epoch, encode_record(record)))
    return found


def _identity_command(prng: Prng, state: IdentityState) -> IdentityCommand:
    user = UserId(prng.between(1, max(2, state.next_user_id)))
    name = str(prng.below(30))
    match prng.below(12):
        case 0 | 1:
            return CreateUser(name=prng.choice([f"user {name}", f"سارة {name}", " odd", ""]))
        case 2 | 3 | 4:
            return CreateApiKey(
                user_id=user,
                api_key=f"key{name}",
                kind=prng.choice(["hmac", "ed25519", "rsa"]),
                material=f"sealed:{name}",
                label=prng.choice(["", "bot", "المحفظة"]),
                permissions=prng.choice([("read",), ("read", "trade"), ("operator",), ("fly",)]),
                ip_allow=prng.choice([(), ("10.0.0.0/8",), ("::1/128", "192.0.2.7/32")]),
            )
        case 5:
            return DeleteApiKey(user_id=user, api_key=f"key{name}")
        case 6 | 7:
            return OpenListenKey(user_id=user, listen_key=f"stream{name}")
        case 8:
            return RenewListenKey(user_id=user, listen_key=f"stream{name}")
        case 9:
            return CloseListenKey(user_id=user, listen_key=f"stream{name}")
        case 10:
            return Checkpoint(sequence=Sequence(state.sequence), digest="golden")
        case _:
            if prng.chance(1, 5):
                return Lead(epoch=Epoch(state.epoch + 1), node="golden")
            return Tick()


def funding_lines() -> list[Line]:
    """Return some days of the funding cell: money comes in, waits, goes out, and is counted."""
    state = FundingState()
    flow = OrdersFlow(SEED, state)
    ahead = funding_opening()
    found: list[Line] = []
    at_ns = START_NS
    while len(found) < FUNDING_ENTRIES:
        at_ns += flow.prng.between(1, 300) * 1_000_000_000
        command_id = f"c{flow.prng.below(300)}" if flow.prng.chance(1, 12) and not ahead else ""
        command = ahead.pop(0) if ahead else flow.next()
        record = FundingRecord(at_ns=at_ns, command=command, command_id=command_id)
        sequence = state.sequence + 1
        commit_funding(state, command, sequence=sequence, at_ns=at_ns, command_id=command_id)
        found.append(Line(sequence, state.epoch, encode_record(record)))
    return found


def control_lines() -> list[Line]:
    """Return some hours of the control cell: trouble comes and goes, and services with it."""
    state = ControlState()
    flow = ControlFlow(SEED, state)
    ahead = control_opening()
    found: list[Line] = []
    at_ns = START_NS
    while len(found) < CONTROL_ENTRIES:
        # Now and then it is silent for longer than a lease.
        at_ns += 60_000_000_000 if flow.prng.chance(1, 200) else flow.prng.between(1, 900_000_000)
        flow.now_ns = at_ns
        command_id = f"c{flow.prng.below(300)}" if flow.prng.chance(1, 12) and not ahead else ""
        command = ahead.pop(0) if ahead else flow.next()
        record = ControlRecord(at_ns=at_ns, command=command, command_id=command_id)
        sequence = state.sequence + 1
        commit_control(state, command, sequence=sequence, at_ns=at_ns, command_id=command_id)
        found.append(Line(sequence, state.epoch, encode_record(record)))
    return found


def write(folder: Path) -> None:
    """Write all journals and what they lead to."""
    folder.mkdir()
    outcomes = {}
    made = (identity_lines(), funding_lines(), spot_lines(), control_lines())
    for cell, lines in zip(CELLS, made, strict=True):
        text = b"".join(b"%d %d %b\n" % (li.sequence, li.epoch, li.payload) for li in lines)
        (folder / f"{cell}.journal").write_bytes(text)
        outcomes[cell] = replay(cell, lines)
    (folder / "expected.json").write_bytes(json.format(json.encode(outcomes)) + b"\n")


if __name__ == "__main__":
    if len(sys.argv) != 2 or (FOLDER / sys.argv[1]).exists():
        sys.exit("usage: python -m tests.golden.make VERSION (one that has no folder yet)")
    write(FOLDER / sys.argv[1])
