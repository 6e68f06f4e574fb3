"""The command `fuzzy-metaballs`."""
