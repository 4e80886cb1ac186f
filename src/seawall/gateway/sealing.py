"""Secrets at rest.  The rule: a sealed secret opens only where, and for whom, it was sealed.

AES-256-GCM under the master key in `secrets/master.key`.  The key's id and the owner of the
secret are authenticated with it, so a sealed secret moved to another user's key does not open.
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PSEUDONYM_CHARS = 32


class SealError(Exception):
    """A sealed secret does not open: another master key, another owner, or damage."""


class Sealer:
    """Seals and opens short secrets under one master key."""

    def __init__(self, master: bytes) -> None:
        if len(master) != _KEY_BYTES:
            raise SealError(f"the master key must have {_KEY_BYTES} bytes")
        self._cipher = AESGCM(master)
        self.key_id = hashlib.sha256(b"seawall master key id" + master).hexdigest()[:8]
        self._pseudonyms = hmac.digest(master, b"seawall pseudonyms", "sha256")

    @classmethod
    def open(cls, path: Path) -> "Sealer":
        """Read the master key, making one where there is none."""
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, secrets.token_bytes(_KEY_BYTES).hex() + "\n")
        try:
            master = bytes.fromhex(path.read_text().strip())
        except ValueError:
            raise SealError(f"{path} does not hold a key in hexadecimal") from None
        return cls(master)

    def pseudonym(self, name: str) -> str:
        """Return what stands for a name at every node, and tells nobody else whose it is."""
        return hmac.digest(self._pseudonyms, name.encode(), "sha256").hex()[:_PSEUDONYM_CHARS]

    def seal(self, secret: str, owner: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), self._bound(owner))
        return f"v1.{self.key_id}.{base64.b64encode(nonce + sealed).decode()}"

    def unseal(self, sealed: str, owner: str) -> str:
        version, _, rest = sealed.partition(".")
        key_id, _, payload = rest.partition(".")
        if version != "v1" or key_id != self.key_id:
            raise SealError(f"sealed under master key {key_id!r}, not {self.key_id!r}")
        try:
            data = base64.b64decode(payload, validate=True)
            opened = self._cipher.decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], self._bound(owner)
            )
        except (ValueError, InvalidTag):
            raise SealError("the sealed secret is damaged or another owner's") from None
        return opened.decode()

    def _bound(self, owner: str) -> bytes:
        return f"seawall.v1|{self.key_id}|{owner}".encode()


def key_owner(user_id: int, api_key: str) -> str:
    """Return what an API key's secret is bound to."""
    return f"api-key|{user_id}|{api_key}"


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read; never through a half-written state."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
