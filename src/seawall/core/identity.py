"""Who may ask, and with which keys.  The rule: names and keys are unique; no secret is opened here.

Key material is opaque: the gateway seals secrets and checks signatures and addresses.  A listen
key lives until the first entry at or after the moment it runs out.
"""

from typing import Final, assert_never

from seawall.core.identity_state import ApiKey, IdentityState, ListenKey, User
from seawall.lib.invariants import invariant
from seawall.model import limits
from seawall.model.commands import (
    Checkpoint,
    CloseListenKey,
    CreateApiKey,
    CreateUser,
    DeleteApiKey,
    IdentityCommand,
    Lead,
    OpenListenKey,
    RenewListenKey,
    Tick,
)
from seawall.model.events import (
    ApiKeyCreated,
    ApiKeyDeleted,
    CommandRejected,
    CommandRepeated,
    Event,
    Led,
    ListenKeyClosed,
    ListenKeyOpened,
    UserCreated,
)
from seawall.model.rejections import Rejection

KEY_KINDS: Final = ("hmac", "ed25519")
PERMISSIONS: Final = ("read", "trade", "withdraw", "operator")
_LISTEN_KEY_NS: Final = limits.LISTEN_KEY_S * 1_000_000_000


def commit_identity(
    state: IdentityState,
    command: IdentityCommand,
    *,
    sequence: int,
    at_ns: int,
    command_id: str = "",
) -> list[Event]:
    """Apply the journal entry; return what happened, the command's own events first."""
    invariant(sequence == state.sequence + 1, "entries are applied in order, without holes")
    invariant(at_ns > state.at_ns, "journal time strictly increases")
    state.sequence = sequence
    state.at_ns = at_ns
    repeated = state.command_ids.get(command_id) if command_id else None
    events: list[Event]
    if repeated is not None:
        events = [CommandRepeated(repeated)]
    else:
        events = _dispatch(state, command)
        if command_id and not (events and isinstance(events[0], CommandRejected)):
            _remember(state, command_id)
    _close_run_out(state, events)
    return events


def _dispatch(state: IdentityState, command: IdentityCommand) -> list[Event]:
    if isinstance(command, Tick | Checkpoint):
        return []
    if isinstance(command, Lead):
        return _lead(state, command)
    if isinstance(command, CreateUser):
        return _create_user(state, command)
    if isinstance(command, CreateApiKey):
        return _create_api_key(state, command)
    if isinstance(command, DeleteApiKey):
        return _delete_api_key(state, command)
    if isinstance(command, OpenListenKey):
        return _open_listen_key(state, command)
    if isinstance(command, RenewListenKey):
        return _renew_listen_key(state, command)
    if isinstance(command, CloseListenKey):
        return _close_listen_key(state, command)
    assert_never(command)


def _remember(state: IdentityState, command_id: str) -> None:
    state.command_ids[command_id] = state.sequence
    if len(state.command_ids) > limits.COMMAND_IDS:
        del state.command_ids[next(iter(state.command_ids))]


def _lead(state: IdentityState, command: Lead) -> list[Event]:
    invariant(command.epoch > state.epoch, "each leader has a higher epoch than the one before")
    state.epoch = command.epoch
    return [Led(command.epoch, command.node)]


def _create_user(state: IdentityState, command: CreateUser) -> list[Event]:
    if command.name in state.by_name:
        return [CommandRejected(Rejection.ALREADY_EXISTS, "name")]
    if not _is_label(command.name, limits.USER_NAME_CHARS) or command.name != command.name.strip():
        return [CommandRejected(Rejection.INVALID_DEFINITION, "name")]
    user = User(state.next_user_id, command.name, state.at_ns)
    state.next_user_id += 1
    state.users[user.user_id] = user
    state.by_name[user.name] = user
    return [UserCreated(user.user_id, user.name)]


def _create_api_key(state: IdentityState, command: CreateApiKey) -> list[Event]:
    user = state.users.get(command.user_id)
    if user is None:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if command.api_key in state.keys:
        return [CommandRejected(Rejection.ALREADY_EXISTS, "api_key")]
    fault = _fault_of_key(command)
    if fault:
        return [CommandRejected(Rejection.INVALID_DEFINITION, fault)]
    if len(user.api_keys) >= limits.API_KEYS_PER_USER:
        return [CommandRejected(Rejection.MAX_NUM_API_KEYS)]
    key = ApiKey(
        command.api_key,
        command.user_id,
        command.kind,
        command.material,
        command.label,
        command.permissions,
        command.ip_allow,
        state.at_ns,
    )
    state.keys[key.api_key] = key
    user.api_keys[key.api_key] = key
    return [ApiKeyCreated(user.user_id, key.api_key)]


def _fault_of_key(command: CreateApiKey) -> str:
    """Return the name of the first field that is wrong, or nothing."""
    if not _is_token(command.api_key, limits.API_KEY_CHARS):
        return "api_key"
    if command.kind not in KEY_KINDS:
        return "kind"
    if not 0 < len(command.material) <= limits.KEY_MATERIAL_CHARS:
        return "material"
    if command.label and not _is_label(command.label, limits.KEY_LABEL_CHARS):
        return "label"
    if not _are_permissions(command.permissions):
        return "permissions"
    if len(command.ip_allow) > limits.IP_NETWORKS_PER_KEY:
        return "ip_allow"
    for network in command.ip_allow:
        if not _is_token(network, limits.IP_NETWORK_CHARS):
            return "ip_allow"
    return ""


def _are_permissions(permissions: tuple[str, ...]) -> bool:
    """Say whether each is known and none stands twice; at least one is needed."""
    seen: list[str] = []
    for permission in permissions:
        if permission not in PERMISSIONS or permission in seen:
            return False
        seen.append(permission)
    return bool(seen)


def _is_label(text: str, most_chars: int) -> bool:
    """Say whether people can read it: printable, in any script, not empty, not too long."""
    return 0 < len(text) <= most_chars and text.isprintable()


def _is_token(text: str, most_chars: int) -> bool:
    """Say whether programs can carry it: printable ASCII without blanks."""
    if not _is_label(text, most_chars) or not text.isascii():
        return False
    return " " not in text


def _delete_api_key(state: IdentityState, command: DeleteApiKey) -> list[Event]:
    user = state.users.get(command.user_id)
    if user is None:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if command.api_key not in user.api_keys:
        return [CommandRejected(Rejection.UNKNOWN_KEY)]
    del user.api_keys[command.api_key]
    del state.keys[command.api_key]
    return [ApiKeyDeleted(user.user_id, command.api_key)]


def _open_listen_key(state: IdentityState, command: OpenListenKey) -> list[Event]:
    user = state.users.get(command.user_id)
    if user is None:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if user.listen_key:
        return _keep_open(state, user)
    if command.listen_key in state.listen_keys:
        return [CommandRejected(Rejection.ALREADY_EXISTS, "listen_key")]
    if not _is_token(command.listen_key, limits.LISTEN_KEY_CHARS):
        return [CommandRejected(Rejection.INVALID_DEFINITION, "listen_key")]
    user.listen_key = command.listen_key
    return _keep_open(state, user)


def _renew_listen_key(state: IdentityState, command: RenewListenKey) -> list[Event]:
    user = state.users.get(command.user_id)
    if user is None:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if not command.listen_key or user.listen_key != command.listen_key:
        return [CommandRejected(Rejection.UNKNOWN_KEY)]
    return _keep_open(state, user)


def _close_listen_key(state: IdentityState, command: CloseListenKey) -> list[Event]:
    user = state.users.get(command.user_id)
    if user is None:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if not command.listen_key or user.listen_key != command.listen_key:
        return [CommandRejected(Rejection.UNKNOWN_KEY)]
    user.listen_key = ""
    del state.listen_keys[command.listen_key]
    return [ListenKeyClosed(user.user_id, command.listen_key)]


def _keep_open(state: IdentityState, user: User) -> list[Event]:
    """Let the user's listen key run its full time from now; it moves last, being the youngest."""
    expires_ns = state.at_ns + _LISTEN_KEY_NS
    state.listen_keys.pop(user.listen_key, None)
    state.listen_keys[user.listen_key] = ListenKey(user.listen_key, user.user_id, expires_ns)
    return [ListenKeyOpened(user.user_id, user.listen_key, expires_ns)]


def _close_run_out(state: IdentityState, events: list[Event]) -> None:
    while state.listen_keys:
        oldest = next(iter(state.listen_keys.values()))
        if oldest.expires_ns > state.at_ns:
            return
        del state.listen_keys[oldest.listen_key]
        state.users[oldest.user_id].listen_key = ""
        events.append(ListenKeyClosed(oldest.user_id, oldest.listen_key))
