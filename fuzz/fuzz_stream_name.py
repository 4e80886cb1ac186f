"""Feeds `targets.stream_name` with atheris; `make fuzz` says for how long."""

from run import run

run("stream_name")
