"""The first page.  The rule: it talks only to the public API, so it can do nothing users cannot."""
