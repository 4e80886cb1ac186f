"""The signed statement as files that anyone can check.  The rule: say only what was checked."""

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from seawall.model.status_document import StatementLine

TEXT: Final = "statement/statement.json"
SIGNATURE: Final = "statement/signature.bin"
KEY: Final = "statement/public-key.pem"
COMMAND: Final = (
    "openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in statement.json"
    " -sigfile signature.bin"
)
_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo."""


def is_right(line: StatementLine) -> bool:
    """Whether the signature is the key's, over exactly these bytes."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(line.public_key))
        key.verify(bytes.fromhex(line.signature), line.statement.encode("utf-8", "replace"))
    except (ValueError, InvalidSignature):
        return False
    return True


def files(line: StatementLine) -> dict[str, bytes]:
    """Return the three files; only the text where key or signature are no such thing."""
    found = {TEXT: line.statement.encode("utf-8", "replace")}
    try:
        key, signature = bytes.fromhex(line.public_key), bytes.fromhex(line.signature)
    except ValueError:
        return found
    pem = base64.encodebytes(_PREFIX + key).decode("ascii")
    found[SIGNATURE] = signature
    found[KEY] = f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n".encode("ascii")
    return found
