"""The command `implicit-seg`."""
