"""The identity cell's state.  The rule: everything here is in the digest and in the snapshot."""


class User:
    """Someone who may hold accounts; the id is the same in every cell."""

    def __init__(self, user_id: int, name: str, created_ns: int) -> None:
        self.user_id = user_id
        self.name = name
        self.created_ns = created_ns
        self.api_keys: dict[str, ApiKey] = {}
        """Oldest first."""
        self.listen_key = ""
        """The one open user data stream; empty if there is none."""


class ApiKey:
    """What a program signs its requests with."""

    def __init__(
        self,
        api_key: str,
        user_id: int,
        kind: str,
        material: str,
        label: str,
        permissions: tuple[str, ...],
        ip_allow: tuple[str, ...],
        created_ns: int,
    ) -> None:
        self.api_key = api_key
        self.user_id = user_id
        self.kind = kind
        self.material = material
        """A sealed secret (hmac) or a public key (ed25519); opaque here."""
        self.label = label
        self.permissions = permissions
        self.ip_allow = ip_allow
        self.created_ns = created_ns


class ListenKey:
    """The name of an open user data stream."""

    def __init__(self, listen_key: str, user_id: int, expires_ns: int) -> None:
        self.listen_key = listen_key
        self.user_id = user_id
        self.expires_ns = expires_ns


class IdentityState:
    """Users and their keys."""

    def __init__(self) -> None:
        self.sequence = 0
        self.at_ns = 0
        self.epoch = 0
        self.users: dict[int, User] = {}
        self.by_name: dict[str, User] = {}
        self.keys: dict[str, ApiKey] = {}
        self.listen_keys: dict[str, ListenKey] = {}
        """The one that runs out first stands first."""
        self.next_user_id = 1
        self.command_ids: dict[str, int] = {}
        """Sequence at which each remembered command id took effect, oldest first."""
