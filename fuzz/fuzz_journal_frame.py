"""Feeds `targets.journal_frame` with atheris; `make fuzz` says for how long."""

from run import run

run("journal_frame")
