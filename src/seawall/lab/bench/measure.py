"""Measures one engine, as a program.  The rule: what it prints is one line of JSON.

`python -m seawall.lab.bench.measure flow FLOW SECONDS` runs the flow on Seawall as it is on the
path, `… capture SECONDS` the small capture, `… PACKAGE FLOW SECONDS` the flow on another engine.
"""

import os
import sys
from pathlib import Path

import msgspec

from seawall.lab.bench import own, rivals
from seawall.lab.bench.flow import read_flow
from seawall.lab.bench.measured import Measured


def measure(what: str, *arguments: str) -> Measured:
    """Measure what the arguments name."""
    if what == "capture":
        return own.run_capture(float(arguments[0]))
    flow, seconds = read_flow(Path(arguments[0])), float(arguments[1])
    if what == "flow":
        return own.run_flow(flow, seconds)
    rival = next(each for each in rivals.RIVALS if each.package == what)
    return rivals.run_flow(rival.open(), flow, seconds)


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(measure(*sys.argv[1:])).decode() + "\n")
    sys.stdout.flush()
    # Some engines keep threads of their own that would hold up the end of the process.
    os._exit(0)
