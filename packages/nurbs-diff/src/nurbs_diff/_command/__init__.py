"""The command `nurbs`."""
