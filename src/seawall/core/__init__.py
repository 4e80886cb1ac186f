"""The cells: deterministic state machines.  No clock, no disk, no network, no float, no chance."""
