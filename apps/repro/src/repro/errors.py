"""The two ways in which a command ends early."""


class UserError(Exception):
    """What was asked for cannot be done; nothing was touched. One sentence and exit code 2."""


class ExperimentError(Exception):
    """An experiment did not come to its end. One sentence and exit code 1; the others still run."""
