"""Feeds `targets.decimals` with atheris; `make fuzz` says for how long."""

from run import run

run("decimals")
