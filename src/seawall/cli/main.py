"""The command `seawall`.  The rule: names and exit codes are part of the contract."""


def run() -> None:
    """Run the command line."""
