#!/usr/local/bin/python
"""Exit 0 if the URL answers with 200.  The rule: no more than the image has anyway."""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4

try:
    with urllib.request.urlopen(sys.argv[1], timeout=TIMEOUT_S) as answer:  # noqa: S310  (its own)
        sys.exit(answer.status != 200)
except (OSError, urllib.error.URLError):
    sys.exit(1)
