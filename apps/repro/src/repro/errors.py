"""The ways in which a command ends early."""


class UserError(Exception):
    """What was asked for cannot be done; nothing was touched. One sentence and exit code 2."""


class ExperimentError(Exception):
    """An experiment did not come to its end. One sentence and exit code 1; the others still run."""


class DataError(Exception):
    """A data set was not fetched, or is not what it should be. One sentence and exit code 1."""


class RoomError(DataError):
    """The disk takes no more; what was downloaded is kept, so that the same command goes on."""
