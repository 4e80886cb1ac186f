"""Looks at the world outside and reports; it never decides."""
