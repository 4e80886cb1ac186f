"""Feeds `targets.socket_request` with atheris; `make fuzz` says for how long."""

from run import run

run("socket_request")
