"""One command, `seawall`."""
