"""The journal: bytes, sequences, epochs and hashes.  It knows no orders."""
