"""Feeds `targets.capture_line` with atheris; `make fuzz` says for how long."""

from run import run

run("capture_line")
