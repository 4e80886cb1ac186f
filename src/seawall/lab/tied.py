"""Processes that end with the one that started them.  The rule: no orphan outlives a SIGKILL.

Linux tells a process when its parent dies; elsewhere a parent that is killed leaves them behind.
They have a process group of their own: Ctrl-C reaches only the parent, which ends them in order.
"""

import os
import sys
from pathlib import Path
from typing import Final

_SHIM: Final = """
import ctypes, os, signal, sys
os.setpgid(0, 0)
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
except (OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""1 is PR_SET_PDEATHSIG; the parent may have died before it was set."""


def tied(command: list[str]) -> list[str]:
    """Return the command line that runs `command` and ends with this process."""
    program = str(Path(command[0]).absolute())
    return [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), program, *command[1:]]
