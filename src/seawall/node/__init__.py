"""Nodes: where journal and core meet; nothing here knows HTTP."""
