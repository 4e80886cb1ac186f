"""Feeds `targets.params` with atheris; `make fuzz` says for how long."""

from run import run

run("params")
