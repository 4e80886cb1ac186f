"""Starts ccxt's live suite, which refuses any exchange but the real one, against another.

Run inside its test folder.  The one thing taken out is the check that its URLs are the real ones.
"""

import runpy
import sys

sys.path.insert(0, ".")

import tests_async
import tests_sync

for suite in (tests_sync, tests_async):
    suite.testMainClass.check_constructor = lambda *_: True

sys.argv[0] = "tests_init.py"
runpy.run_path("tests_init.py", run_name="__main__")
