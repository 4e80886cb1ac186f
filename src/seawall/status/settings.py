"""What the status site may be told.  The rule: a secret is named by its file, never written."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: an unknown key is refused."""


class TargetSettings(Section, frozen=True, kw_only=True):
    """One place where the site is put: `file:FOLDER`, or an object store by URL."""

    url: str
    options: dict[str, str] = field(default_factory=dict)
    """The store's own: region, endpoint, keys.  They may also stand in the environment."""


class NotifySettings(Section, frozen=True, kw_only=True):
    """Who is told of each update of an incident."""

    name: Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")]
    """What was sent is remembered under this name."""
    kind: Literal["webhook", "mail", "chat"]
    url: str = ""
    """Of a webhook; of a chat's `sendMessage`, where `{token}` stands for the secret."""
    secret_file: str = ""
    """Webhook: key of the signature.  Mail: the password.  Chat: the token."""
    chat_id: str = ""
    language: Literal["en", "ar"] = "en"
    """Of a chat; mail and webhooks carry both."""
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    """Each address gets a message of its own; a list server's address serves many readers."""
    unsubscribe: str = ""
    """`mailto:` or `https:` address that ends a subscription."""


class StatusSettings(Section, frozen=True, kw_only=True):
    """The section `[status]`."""

    gateways: tuple[str, ...] = ()
    name: str = ""
    url: str = ""
    data: str = ""
    every_s: Annotated[int, Meta(ge=1, le=60)] = 2
    heartbeat_s: Annotated[int, Meta(ge=5, le=3_600)] = 30
    stale_s: Annotated[int, Meta(ge=10, le=86_400)] = 120
    target: tuple[TargetSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
