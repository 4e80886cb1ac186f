"""Users with keys and money.  The rule: through the operator API, as any operator would."""

import uuid
from pathlib import Path
from typing import Any, Final

from seawall.cli.output import CliError, Exit
from seawall.cli.running import Operator

DEMO_USER: Final = "demo"
DEMO_FUNDS: Final = {
    "BTC": "10",
    "ETH": "200",
    "LTC": "2000",
    "BNB": "500",
    "USDT": "1000000",
}


def parse_deposits(text: str) -> dict[str, str]:
    """Read `BTC=1,USDT=100000`; the exchange judges the amounts."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        asset, equals, amount = part.partition("=")
        if not (asset and equals and amount):
            raise CliError(
                f"`{part}` is no deposit.",
                "Write ASSET=AMOUNT, as in BTC=1,USDT=100000.",
                Exit.USAGE,
            )
        found[asset.strip().upper()] = amount.strip()
    return found


def create_user(operator: Operator, user: str, deposits: dict[str, str]) -> None:
    """Create the user, unless there is one of that name, and credit the deposits."""
    operator.post("users", {"name": user})
    reference = uuid.uuid4().hex
    for asset, amount in deposits.items():
        operator.post(
            "credits", {"user": user, "asset": asset, "amount": amount, "reference": reference}
        )


def create_key(
    operator: Operator,
    user: str,
    *,
    permissions: tuple[str, ...] = ("read", "trade"),
    ip_allow: tuple[str, ...] = (),
    label: str = "",
    ed25519: Path | None = None,
) -> dict[str, Any]:
    """Return the new key; its secret is shown this once and stored sealed."""
    body: dict[str, Any] = {
        "user": user,
        "permissions": permissions,
        "label": label,
        "ipAllow": ip_allow,
    }
    if ed25519 is not None:
        try:
            body |= {"kind": "ed25519", "publicKey": ed25519.read_text("ascii")}
        except (OSError, UnicodeDecodeError) as error:
            raise CliError(
                f"{ed25519} cannot be read: {error}",
                "Name a PEM file with the public key: openssl pkey -in KEY -pubout",
                Exit.USAGE,
            ) from error
    return operator.post("keys", body)
