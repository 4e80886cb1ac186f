"""Identity: stories of users, keys and streams, and every rejection."""

import pytest

from seawall.core.identity import commit_identity
from seawall.core.identity_state import IdentityState
from seawall.core.invariants import check_identity
from seawall.core.snapshots import dump_identity, load_identity
from seawall.core.state_digest import digest_identity
from seawall.lib.invariants import InvariantError
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
from seawall.model.ids import Epoch, Sequence, UserId

SECOND_NS = 1_000_000_000
A = UserId(1)


class Desk:
    """An identity cell; after every entry it is checked, and must survive a snapshot."""

    def __init__(self) -> None:
        self.state = IdentityState()

    def run(self, command: IdentityCommand, command_id: str = "", after_s: int = 1) -> list[Event]:
        events = commit_identity(
            self.state,
            command,
            sequence=self.state.sequence + 1,
            at_ns=self.state.at_ns + after_s * SECOND_NS,
            command_id=command_id,
        )
        check_identity(self.state)
        loaded = load_identity(dump_identity(self.state))
        check_identity(loaded)
        assert digest_identity(loaded) == digest_identity(self.state)
        self.state = loaded
        return events

    def told(self, command: IdentityCommand, command_id: str = "", after_s: int = 1) -> str:
        """Return what happened as one line."""
        return " ".join(_tell(event) for event in self.run(command, command_id, after_s))


def _tell(event: Event) -> str:
    match event:
        case CommandRejected():
            return f"{event.reason}:{event.detail}" if event.detail else str(event.reason)
        case CommandRepeated():
            return f"repeated:{event.sequence}"
        case Led():
            return f"led:{event.epoch}"
        case UserCreated():
            return f"user:{event.user_id}:{event.name}"
        case ApiKeyCreated():
            return f"key:{event.user_id}:{event.api_key}"
        case ApiKeyDeleted():
            return f"deleted:{event.user_id}:{event.api_key}"
        case ListenKeyOpened():
            return f"open:{event.user_id}:{event.listen_key}:{event.expires_ns // SECOND_NS}"
        case ListenKeyClosed():
            return f"closed:{event.user_id}:{event.listen_key}"
        case _:
            raise AssertionError(event)


def key(**changes: object) -> CreateApiKey:
    fields: dict[str, object] = {
        "user_id": A,
        "api_key": "k1",
        "kind": "hmac",
        "material": "sealed",
    }
    return CreateApiKey(**{**fields, **changes})  # type: ignore[arg-type]  # fields of any kind


def with_user() -> Desk:
    desk = Desk()
    assert desk.told(CreateUser(name="ada")) == "user:1:ada"
    return desk


def test_users_have_unique_names_and_growing_ids() -> None:
    desk = with_user()
    assert desk.told(CreateUser(name="ada")) == "already_exists:name"
    assert desk.told(CreateUser(name="سارة")) == "user:2:سارة"
    assert desk.told(CreateUser(name="x" * limits.USER_NAME_CHARS)).startswith("user:3:")


@pytest.mark.parametrize("name", ["", " ", " ada", "ada ", "a\nb", "a\x00", "x" * 65, "\u202eada"])
def test_names_that_people_cannot_read_are_refused(name: str) -> None:
    assert with_user().told(CreateUser(name=name)) == "invalid_definition:name"


def test_keys_are_unique_over_all_users_and_can_be_deleted_by_their_owner_only() -> None:
    desk = with_user()
    desk.run(CreateUser(name="bob"))
    assert desk.told(key()) == "key:1:k1"
    assert desk.told(key(user_id=UserId(2))) == "already_exists:api_key"
    assert desk.told(key(user_id=UserId(9))) == "unknown_user"
    assert desk.told(DeleteApiKey(user_id=UserId(2), api_key="k1")) == "unknown_key"
    assert desk.told(DeleteApiKey(user_id=UserId(9), api_key="k1")) == "unknown_user"
    assert desk.told(DeleteApiKey(user_id=A, api_key="k1")) == "deleted:1:k1"
    assert desk.told(DeleteApiKey(user_id=A, api_key="k1")) == "unknown_key"
    assert desk.state.keys == {}


@pytest.mark.parametrize(
    "field, value",
    [
        ("api_key", ""),
        ("api_key", "has blank"),
        ("api_key", "ключ"),
        ("api_key", "k" * 65),
        ("kind", "rsa"),
        ("kind", ""),
        ("material", ""),
        ("material", "m" * 4_097),
        ("label", "l" * 65),
        ("label", "a\tb"),
        ("permissions", ()),
        ("permissions", ("read", "read")),
        ("permissions", ("read", "fly")),
        ("ip_allow", ("",)),
        ("ip_allow", ("10.0.0.0/8\n",)),
        ("ip_allow", ("10.0.0.0/8",) * 31),
    ],
)
def test_a_key_with_a_wrong_field_is_refused_by_its_name(field: str, value: object) -> None:
    assert with_user().told(key(**{field: value})) == f"invalid_definition:{field}"


def test_a_user_has_no_more_keys_than_allowed_until_one_is_deleted() -> None:
    desk = with_user()
    for number in range(limits.API_KEYS_PER_USER):
        desk.run(key(api_key=f"k{number}", kind="ed25519", permissions=("read", "operator")))
    assert desk.told(key(api_key="one-more")) == "max_num_api_keys"
    desk.run(DeleteApiKey(user_id=A, api_key="k0"))
    assert desk.told(key(api_key="one-more")) == "key:1:one-more"


def test_an_open_stream_keeps_its_listen_key_and_runs_out_after_an_hour() -> None:
    desk = with_user()
    assert desk.told(OpenListenKey(user_id=A, listen_key="s1")) == "open:1:s1:3602"
    assert desk.told(OpenListenKey(user_id=A, listen_key="s2")) == "open:1:s1:3603"
    assert desk.told(RenewListenKey(user_id=A, listen_key="s1"), after_s=3_000) == "open:1:s1:6603"
    assert desk.told(Tick(), after_s=3_599) == ""
    assert desk.told(Tick()) == "closed:1:s1"
    assert desk.told(RenewListenKey(user_id=A, listen_key="s1")) == "unknown_key"
    assert desk.told(OpenListenKey(user_id=A, listen_key="s2")).startswith("open:1:s2:")
    assert desk.told(CloseListenKey(user_id=A, listen_key="s2")) == "closed:1:s2"
    assert desk.told(CloseListenKey(user_id=A, listen_key="s2")) == "unknown_key"


def test_streams_of_many_users_run_out_oldest_first_and_renewal_moves_one_last() -> None:
    desk = with_user()
    for number in (2, 3):
        desk.run(CreateUser(name=f"user{number}"))
    for number in (1, 2, 3):
        desk.run(OpenListenKey(user_id=UserId(number), listen_key=f"s{number}"))
    desk.run(RenewListenKey(user_id=A, listen_key="s1"))
    assert desk.told(CreateUser(name="late"), after_s=3_599) == (
        "user:4:late closed:2:s2 closed:3:s3"
    )
    assert desk.told(Tick()) == "closed:1:s1"


def test_listen_key_rejections() -> None:
    desk = with_user()
    desk.run(CreateUser(name="bob"))
    desk.run(OpenListenKey(user_id=A, listen_key="s1"))
    b = UserId(2)
    nobody = UserId(9)
    assert desk.told(OpenListenKey(user_id=nobody, listen_key="s")) == "unknown_user"
    assert desk.told(OpenListenKey(user_id=b, listen_key="s1")) == "already_exists:listen_key"
    assert desk.told(OpenListenKey(user_id=b, listen_key="")) == "invalid_definition:listen_key"
    assert desk.told(RenewListenKey(user_id=nobody, listen_key="s")) == "unknown_user"
    assert desk.told(RenewListenKey(user_id=b, listen_key="s1")) == "unknown_key"
    assert desk.told(RenewListenKey(user_id=b, listen_key="")) == "unknown_key"
    assert desk.told(CloseListenKey(user_id=nobody, listen_key="s")) == "unknown_user"
    assert desk.told(CloseListenKey(user_id=b, listen_key="s1")) == "unknown_key"
    assert desk.told(CloseListenKey(user_id=b, listen_key="")) == "unknown_key"


def test_a_command_takes_effect_at_most_once_and_a_rejected_one_may_be_tried_again() -> None:
    desk = Desk()
    assert desk.told(key(), "c1") == "unknown_user"
    assert desk.told(CreateUser(name="ada"), "c2") == "user:1:ada"
    assert desk.told(CreateUser(name="ada"), "c2") == "repeated:2"
    assert desk.told(key(), "c1") == "key:1:k1"
    assert desk.told(key(), "c1") == "repeated:4"


def test_a_rejected_command_changes_nothing_but_the_place_in_the_journal() -> None:
    desk = with_user()
    before = load_identity(dump_identity(desk.state))
    desk.run(CreateUser(name="ada"))
    before.sequence = desk.state.sequence
    before.at_ns = desk.state.at_ns
    assert digest_identity(before) == digest_identity(desk.state)


def test_leaders_ticks_and_checkpoints() -> None:
    desk = Desk()
    assert desk.told(Lead(epoch=Epoch(1), node="a")) == "led:1"
    assert desk.told(Tick()) == ""
    assert desk.told(Checkpoint(sequence=Sequence(2), digest="d")) == ""
    with pytest.raises(InvariantError, match="higher epoch"):
        desk.run(Lead(epoch=Epoch(1), node="b"))


@pytest.mark.parametrize("sequence, at_ns", [(3, 9), (1, 9), (2, 1)])
def test_entries_out_of_order_are_a_broken_invariant(sequence: int, at_ns: int) -> None:
    state = IdentityState()
    commit_identity(state, Tick(), sequence=1, at_ns=1)
    with pytest.raises(InvariantError):
        commit_identity(state, Tick(), sequence=sequence, at_ns=at_ns)
