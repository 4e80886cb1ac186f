"""`seawall signer`.  The rule: a passphrase never stands on the command line."""

import os
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.markup import escape

from seawall.cli import log
from seawall.cli.options import Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.settings import LogSection
from seawall.treasury.signer import command

ADVICE: Final = "docs/operating/treasury.md says how a signer is set up."

Passphrase = Annotated[
    Path | None,
    Parameter(
        name="--passphrase-file",
        help="File with the keystore's passphrase; else SEAWALL_SIGNER_PASSPHRASE, or a prompt.",
    ),
]


def run(
    *,
    keystore: Path,
    socket: Path,
    settings: Path,
    record: Path | None = None,
    token: Path | None = None,
    passphrase_file: Passphrase = None,
    json: Json = False,
) -> int:
    """Hold the keys, and sign what the limits allow for whoever has the token.

    Parameters
    ----------
    keystore
        The sealed keys, as `seawall signer keystore` made them.
    socket
        Where to answer: a unix socket, made with mode 0600.
    settings
        TOML file of limits by network and asset; the exchange cannot change them.
    record
        What was signed; beside the keystore unless named. Without it nothing may be signed.
    token
        What exchange and signer share; beside the socket unless named, made if there is none.
    """
    # Standard output is for the one line that says it is ready.
    log.set_up(LogSection(level="info", to="stderr"), Path())
    try:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return command.signer(
            keystore=keystore,
            socket=socket,
            settings=settings,
            record=record,
            token=token,
            passphrase_file=passphrase_file,
            on_ready=_tell_ready if json else command.say_ready,
        )
    except command.SignerCommandError as error:
        raise CliError(f"The signer cannot run: {error}", ADVICE) from error
    except OSError as error:
        raise CliError(
            f"{socket.parent} cannot be used: {error.strerror}", ADVICE, Exit.UNREACHABLE
        ) from error


def _tell_ready(socket: Path) -> None:
    print_json({"ready": True, "socket": socket, "pid": os.getpid()})


def keystore(
    *,
    keystore: Path,
    wallets: int = 1,
    v3: Annotated[tuple[Path, ...], Parameter(negative=())] = (),
    prefix: Annotated[tuple[str, ...], Parameter(negative=())] = ("ltc",),
    passphrase_file: Passphrase = None,
    json: Json = False,
) -> int:
    """Make a sealed file of new keys, or of imported ones; print what is public of it.

    Parameters
    ----------
    keystore
        The file to make; one that is there is never overwritten.
    wallets
        How many hot wallets.
    v3
        Wallet files of Ethereum clients to import instead, sealed with the same passphrase.
    prefix
        UTXO networks to print the addresses of, by their prefix: ltc, tltc, rltc.
    """
    if wallets < 1:
        raise CliError("A keystore has a wallet at least.", "Leave --wallets out.", Exit.USAGE)
    try:
        passphrase = command.read_passphrase(passphrase_file)
        keystore.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = command.make_keys(
            keystore, passphrase, wallets=wallets, v3=v3, v3_passphrase=passphrase
        )
    except (command.SignerCommandError, OSError) as error:
        raise CliError(f"No keystore was made: {error}", ADVICE) from error
    who = command.public_keys(keys)
    coins = {each: command.public_keys(keys, each) for each in prefix}
    if json:
        print_json(
            {
                "keystore": keystore,
                "wallets": who.wallets,
                "depositKey": who.deposit_key,
                "coins": {
                    name: {"wallets": of_name.wallets, "depositKey": of_name.deposit_key}
                    for name, of_name in coins.items()
                },
            }
        )
        return 0
    human.print(f"[green]✓[/] {escape(str(keystore))} is made, with mode 0600.")
    for name, public in {"EVM networks": who, **coins}.items():
        human.print(f"  {escape(name)}")
        for wallet in public.wallets:
            human.print(f"    hot wallet   {wallet}", soft_wrap=True)
        human.print(f"    deposit key  {public.deposit_key}", soft_wrap=True)
    human.print(
        "  [dim]Back the file up now, apart from its passphrase: without both, what the wallets"
        " hold is lost. A deposit key is public: it makes addresses and can spend nothing.[/]"
    )
    return 0
