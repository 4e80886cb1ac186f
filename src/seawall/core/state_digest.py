"""A digest of a cell's whole state.  The rule: equal states give equal digests, in any process.

It is taken over the very bytes that a snapshot holds: whatever decides about a later command is in
both or in neither.
"""

from hashlib import sha256

from seawall.core.identity_state import IdentityState
from seawall.core.snapshots import dump_identity, dump_spot
from seawall.core.spot_state import SpotState


def digest_spot(state: SpotState) -> str:
    """Return the SHA-256 of the state's canonical form, in hex."""
    return sha256(dump_spot(state)).hexdigest()


def digest_identity(state: IdentityState) -> str:
    """Return the SHA-256 of the state's canonical form, in hex."""
    return sha256(dump_identity(state)).hexdigest()
