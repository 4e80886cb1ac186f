"""Seawall: a crypto exchange that keeps its promises when its cloud goes down."""

__version__ = "0.4.0"
