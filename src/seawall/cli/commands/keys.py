"""`seawall keys`.  The rule: a secret is printed once, where it was asked for."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from seawall.cli.accounts import create_key, create_user, parse_deposits
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.running import RefusedError, operator

NOT_SUPPORTED: Final = -1020
"""What the operator API answers to a credit where the exchange is no demo."""


def create(
    *,
    user: str,
    deposit: str = "",
    permissions: str = "read,trade",
    ip: str = "",
    label: str = "",
    ed25519: Annotated[Path | None, Parameter(name="--ed25519")] = None,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Create an API key on a running exchange, and its user if there is none.

    Parameters
    ----------
    user
        Name of the key's owner.
    deposit
        Credits to the user, as BTC=1,USDT=100000; only where the exchange is a demo.
    permissions
        What the key may do: read, trade, withdraw.
    ip
        Addresses or networks that may use the key, with commas; everyone if not given.
    label
        A name for the key.
    ed25519
        PEM file with an Ed25519 public key; without it, the key is HMAC-SHA256.
    """
    at = operator(data)
    deposits = parse_deposits(deposit)
    try:
        create_user(at, user, deposits)
    except RefusedError as error:
        if error.api_code != NOT_SUPPORTED:
            raise
        raise CliError(
            "The exchange is no demo, so it takes no deposits out of nothing.",
            "Leave --deposit out, or run the exchange with `seawall up --demo`.",
            Exit.REFUSED,
        ) from error
    key = create_key(
        at,
        user,
        permissions=_split(permissions),
        ip_allow=_split(ip),
        label=label,
        ed25519=ed25519,
    )
    if json:
        print_json(key | {"deposited": deposits})
        return 0
    human.print(f"[green]✓[/] A key of {user}, who may {' and '.join(_split(permissions))}:")
    human.print(f"  apiKey     {key['apiKey']}", markup=False)
    if "secretKey" in key:
        human.print(f"  secretKey  {key['secretKey']}", markup=False)
        human.print("  [dim]The secret is shown this once. Keep it.[/]")
    for asset, amount in deposits.items():
        human.print(f"  credited   {amount} {asset}", markup=False)
    return 0


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
