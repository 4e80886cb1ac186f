"""`python -m seawall`.  The rule: the same as the command `seawall`."""

from seawall.cli.main import run

if __name__ == "__main__":
    run()
