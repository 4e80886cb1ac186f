"""Two people's word for one document.  The rule: a signature names the person and the document.

Each approver holds a key; the topology has the public halves.  An approval is a signature, so it
can be checked for ever, by anybody, without asking who gave it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from msgspec import Struct

from seawall.model.topology import Approver

APPROVALS: Final = 2


class ApprovalError(ValueError):
    """It is no approval; the message says why."""


class Approval(Struct, frozen=True, kw_only=True):
    """One person's word."""

    person: str
    digest: str
    """Of the document."""
    at: str
    signature: str


def new_key(path: Path) -> str:
    """Write a new private key, readable by its owner only; return the public half."""
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key.private_bytes_raw().hex() + "\n")
    return key.public_key().public_bytes_raw().hex()


def approve(digest: str, person: str, key: Path, at: str, known: Iterable[Approver]) -> Approval:
    """Sign; raise ApprovalError unless the key is this approver's."""
    try:
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key.read_text().strip()))
    except (OSError, ValueError) as error:
        raise ApprovalError(f"{key} holds no key: {error}") from None
    signature = private.sign(_words(digest, person, at)).hex()
    approval = Approval(person=person, digest=digest, at=at, signature=signature)
    check(approval, digest, known)
    return approval


def check(approval: Approval, digest: str, known: Iterable[Approver]) -> None:
    """Raise ApprovalError unless an approver signed exactly this document."""
    approver = next((each for each in known if each.name == approval.person), None)
    if approver is None:
        raise ApprovalError(f"{approval.person} is no [[approver]] of the topology")
    if approval.digest != digest:
        raise ApprovalError(f"{approval.person} approved another plan")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(approver.key))
        public.verify(
            bytes.fromhex(approval.signature), _words(digest, approval.person, approval.at)
        )
    except (ValueError, InvalidSignature):
        raise ApprovalError(f"this is not {approval.person}'s key") from None


def check_enough(approvals: list[Approval], digest: str, known: Iterable[Approver]) -> None:
    """Raise ApprovalError unless two different people have signed, with different keys."""
    approvers = list(known)
    for approval in approvals:
        check(approval, digest, approvers)
    people = {_one_name(approval.person) for approval in approvals}
    keys = {each.key.casefold() for each in approvers if _one_name(each.name) in people}
    if min(len(people), len(keys)) < APPROVALS:
        told = ", ".join(sorted(people)) or "nobody"
        raise ApprovalError(f"{APPROVALS} different people have to approve; {told} has")


def _one_name(person: str) -> str:
    return " ".join(person.casefold().split())


def _words(digest: str, person: str, at: str) -> bytes:
    return b"seawall approval\0" + msgspec.json.encode([digest, person, at])
