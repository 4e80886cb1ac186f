"""Probes: one question to one dependency, with a bound on time and bytes."""
