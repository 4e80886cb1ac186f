"""Who asks, and is it them.  The rule: nothing of a signed request is believed before its proof.

The signature covers the query and the body as their bytes were sent, joined without a separator,
with the `signature` parameter itself taken out.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from seawall.core.identity_state import ApiKey
from seawall.gateway import errors
from seawall.gateway.params import moment_ns
from seawall.gateway.sealing import Sealer, key_owner
from seawall.model import limits
from seawall.node.node import Node

HMAC = "hmac"
ED25519 = "ed25519"

_KEY_FORMAT = re.compile(r"[A-Za-z0-9]{16,128}", re.ASCII)
_RECV_WINDOW = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,3}))?", re.ASCII)
_INTEGER_CHARS = 20
_AHEAD_NS = 1_000_000_000
_US = 1_000
_WINDOW_US_DEFAULT = limits.RECV_WINDOW_MS_DEFAULT * _US
_WINDOW_US_MAX = limits.RECV_WINDOW_MS_MAX * _US


class UnsupportedKeyError(ValueError):
    """The public key is of a kind that is not supported; the message says which are."""


class Credential:
    """One API key, ready to check signatures."""

    __slots__ = ("_networks", "_public", "_secret", "api_key", "permissions", "source", "user_id")

    def __init__(self, source: ApiKey, sealer: Sealer) -> None:
        self.source = source
        self.user_id = source.user_id
        self.api_key = source.api_key
        self.permissions = frozenset(source.permissions)
        self._networks = tuple(ip_network(network, strict=False) for network in source.ip_allow)
        self._secret = b""
        self._public: Ed25519PublicKey | None = None
        if source.kind == ED25519:
            self._public = read_public_key(source.material)
        else:
            owner = key_owner(source.user_id, source.api_key)
            self._secret = sealer.unseal(source.material, owner).encode()

    def allows_address(self, ip: str) -> bool:
        if not self._networks:
            return True
        address = _address(ip)
        return address is not None and any(address in network for network in self._networks)

    def signed(self, payload: bytes, signature: str) -> bool:
        """Return whether `signature` is this key's over `payload`."""
        if self._public is None:
            expected = hmac.digest(self._secret, payload, "sha256").hex()
            return hmac.compare_digest(expected.encode(), signature.lower().encode())
        try:
            # A "+" that its sender did not escape arrives as a space.
            raw = base64.b64decode(signature.replace(" ", "+"), validate=True)
            self._public.verify(raw, payload)
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return True


def read_public_key(pem: str) -> Ed25519PublicKey:
    """Read an Ed25519 public key from PEM."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        raise UnsupportedKeyError("the public key is not in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnsupportedKeyError("only Ed25519 public keys are supported, not RSA or others")
    return key


class KeyRing:
    """The identity cell's keys with their secrets opened."""

    def __init__(self, node: Node, sealer: Sealer) -> None:
        self._node = node
        self._sealer = sealer
        self._opened: dict[str, Credential] = {}

    def find(self, api_key: str) -> Credential | None:
        source = self._node.identity.keys.get(api_key)
        if source is None:
            self._opened.pop(api_key, None)
            return None
        opened = self._opened.get(api_key)
        if opened is None or opened.source is not source:
            opened = Credential(source, self._sealer)
            self._opened[api_key] = opened
        return opened

    def known(self, api_key: str, ip: str) -> Credential:
        """Return the key, or raise -2014 or -2015."""
        found = self.find(api_key)
        if found is None and _KEY_FORMAT.fullmatch(api_key) is None:
            raise errors.bad_key_format()
        if found is None or not found.allows_address(ip):
            raise errors.bad_key()
        return found

    def authenticate(
        self,
        api_key: str,
        permission: str,
        values: Mapping[str, str],
        payload: bytes,
        ip: str,
        now_ns: int,
    ) -> Credential:
        """Return the key of a signed request, or raise what is wrong with the request."""
        key = self.known(api_key, ip)
        timestamp = values.get("timestamp")
        if not timestamp:
            raise errors.missing("timestamp")
        signature = values.get("signature")
        if not signature:
            raise errors.missing("signature")
        check_timestamp(timestamp, values.get("recvWindow"), now_ns)
        if not key.signed(payload, signature):
            raise errors.bad_signature()
        if permission not in key.permissions:
            raise errors.bad_key()
        return key


def check_timestamp(timestamp: str, recv_window: str | None, now_ns: int) -> None:
    """Raise -1021 unless the request is fresh; both milliseconds and microseconds are taken."""
    if not _is_integer(timestamp):
        raise errors.illegal_characters("timestamp", "^[0-9]{1,20}$")
    at_ns = moment_ns(int(timestamp))
    window_us = _WINDOW_US_DEFAULT if recv_window is None else _window_us(recv_window)
    if at_ns >= now_ns + _AHEAD_NS:
        raise errors.early_timestamp()
    if now_ns - at_ns > window_us * 1_000:
        raise errors.stale_timestamp()


def _is_integer(text: str) -> bool:
    # Three calls, and still three times as fast as matching a pattern.
    return len(text) <= _INTEGER_CHARS and text.isascii() and text.isdecimal()


def _window_us(recv_window: str) -> int:
    if _is_integer(recv_window):
        window_us = int(recv_window) * _US
    else:
        found = _RECV_WINDOW.fullmatch(recv_window)
        if found is None:
            raise errors.illegal_characters("recvWindow", "^[0-9]{1,20}(\\.[0-9]{1,3})?$")
        window_us = int(found[1]) * _US + int((found[2] or "").ljust(3, "0"))
    if window_us > _WINDOW_US_MAX:
        raise errors.recv_window_too_long(limits.RECV_WINDOW_MS_MAX)
    return window_us


def without_signature(text: bytes) -> bytes:
    """Take the `signature` parameter out of a query or form body, leaving all else as sent."""
    at = text.rfind(b"&signature=")
    if at >= 0:
        end = text.find(b"&", at + 1)
        return text[:at] if end < 0 else text[:at] + text[end:]
    if text.startswith(b"signature="):
        end = text.find(b"&")
        return b"" if end < 0 else text[end + 1 :]
    return text


@lru_cache(maxsize=4_096)
def _address(ip: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
