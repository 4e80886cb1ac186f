"""The ground everything stands on: invariants, digests, seeded randomness."""
