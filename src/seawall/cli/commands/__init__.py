"""The commands, one module each.  The rule: a command asks or runs another part, and prints."""
