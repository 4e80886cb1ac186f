"""Runs a signer as a process for `test_process.py`: run_signer.py FOLDER."""

import sys
from pathlib import Path

from seawall.treasury.signer.command import signer

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    signer(
        keystore=folder / "keys",
        socket=folder / "signer.socket",
        settings=folder / "limits.json",
        passphrase_file=folder / "passphrase",
    )
