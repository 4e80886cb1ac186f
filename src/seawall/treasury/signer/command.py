"""`seawall signer`.  The rule: without its keystore, its limits and its record it does not run.

The passphrase comes from a file, from SEAWALL_SIGNER_PASSPHRASE, or from whoever sits there; never
from the command line, which others can read.
"""

import asyncio
import getpass
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from seawall.treasury.signer.keystore import (
    FileKeyStore,
    KeyStoreError,
    create_keystore,
    import_v3,
)
from seawall.treasury.signer.messages import Who
from seawall.treasury.signer.protocol import ProtocolError, load_token
from seawall.treasury.signer.server import SignerServer
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import SignerSettingsError, load_settings
from seawall.treasury.signer.store import SignatureStore, StoreError

PASSPHRASE: Final = "SEAWALL_SIGNER_PASSPHRASE"  # noqa: S105  the variable's name, not a secret
READY: Final = "signer ready"
"""The line that is written to standard output once the socket answers."""

_log = structlog.get_logger()


class SignerCommandError(Exception):
    """It cannot run; the message says why."""


def read_passphrase(file: Path | None) -> str:
    """Return the passphrase, from wherever it may come."""
    if file is not None:
        try:
            return file.read_text("utf-8").rstrip("\n")
        except OSError as error:
            raise SignerCommandError(f"{file}: {error.strerror}") from None
    if PASSPHRASE in os.environ:
        return os.environ.pop(PASSPHRASE)
    if sys.stdin.isatty():
        return getpass.getpass("Passphrase of the keystore: ")
    raise SignerCommandError(f"no passphrase: name a file, set {PASSPHRASE}, or run in a terminal")


def make_keys(
    keystore: Path,
    passphrase: str,
    *,
    wallets: int = 1,
    v3: tuple[Path, ...] = (),
    v3_passphrase: str = "",
) -> FileKeyStore:
    """Make a keystore of new keys, or of imported ones."""
    try:
        keys = tuple(import_v3(path, v3_passphrase) for path in v3)
        keys += tuple(secrets.token_hex(32) for _ in range(0 if v3 else wallets))
        return create_keystore(
            keystore, passphrase, wallets=keys, deposit_seed=secrets.token_hex(32)
        )
    except KeyStoreError as error:
        raise SignerCommandError(str(error)) from None


def make_keystore(keystore: Path, passphrase: str, *, wallets: int = 1) -> Who:
    """Make a keystore of new keys; return what is public of it on EVM networks."""
    return public_keys(make_keys(keystore, passphrase, wallets=wallets))


def public_keys(keys: FileKeyStore, prefix: str = "") -> Who:
    """Return what is public of the keys, on EVM networks or on a UTXO network by its prefix."""
    if not prefix:
        return Who(wallets=tuple(sorted(keys.wallets())), deposit_key=keys.deposit_key())
    found = tuple(sorted(keys.coin_wallets(prefix)))
    return Who(wallets=found, deposit_key=keys.coin_deposit_key(prefix))


def say_ready(socket: Path) -> None:
    """Write the line that whoever started the signer waits for."""
    sys.stdout.write(f"{READY} {socket}\n")
    sys.stdout.flush()


async def run_signer(
    *,
    keystore: Path,
    socket: Path,
    settings: Path,
    record: Path,
    token: Path,
    passphrase: str,
    on_ready: Callable[[Path], None] = say_ready,
) -> None:
    """Serve until SIGINT or SIGTERM; SignerCommandError if it cannot start."""
    try:
        limits = load_settings(settings)
        keys = FileKeyStore.open(keystore, passphrase)
        shared = load_token(token, create=True)
        store = SignatureStore(record)
    except (SignerSettingsError, KeyStoreError, ProtocolError, StoreError) as error:
        raise SignerCommandError(str(error)) from None
    try:
        service = SignerService(limits, keys, store, time.time_ns, coin_keys=keys)
        server = SignerServer(service, shared, socket)
        await server.start()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        for name, wallets in service.coin_wallets().items():
            # The same keys have other addresses there, which the keystore's maker was not told.
            _log.info("signer.hot_wallets", network=name, addresses=sorted(wallets))
        on_ready(socket)
        await stop.wait()
        await server.close()
    except (StoreError, ProtocolError, OSError) as error:
        raise SignerCommandError(str(error)) from None
    finally:
        store.close()


def signer(
    *,
    keystore: Path,
    socket: Path,
    settings: Path,
    record: Path | None = None,
    token: Path | None = None,
    passphrase_file: Path | None = None,
    on_ready: Callable[[Path], None] = say_ready,
) -> int:
    """Hold the keys and sign what the limits allow, for whoever has the token.

    Parameters
    ----------
    keystore
        The sealed keys.
    socket
        Where to answer: a unix socket, made with mode 0600.
    settings
        Limits by network and asset; the node cannot change them.
    record
        What was signed; beside the keystore unless named.  Without it nothing may be signed.
    token
        What caller and signer share; beside the socket unless named, made if there is none.
    passphrase_file
        Holds the keystore's passphrase.
    on_ready
        Called once with the socket when it answers.
    """
    asyncio.run(
        run_signer(
            keystore=keystore,
            socket=socket,
            settings=settings,
            record=record or keystore.with_suffix(".signatures.sqlite"),
            token=token or socket.with_suffix(".token"),
            passphrase=read_passphrase(passphrase_file),
            on_ready=on_ready,
        )
    )
    return 0
