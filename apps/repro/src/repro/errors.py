"""The ways in which a command ends early, and how a message quotes."""


class UserError(Exception):
    """What was asked for cannot be done; nothing was touched. One sentence and exit code 2."""


class ExperimentError(Exception):
    """An experiment did not come to its end. One sentence and exit code 1; the others still run."""


class DataError(Exception):
    """A data set was not fetched, or is not what it should be. One sentence and exit code 1."""


class RoomError(DataError):
    """The disk takes no more; what was downloaded is kept, so that the same command goes on."""


def reason(error: BaseException) -> str:
    """The first line of an error's text, short enough for a message and without its full stop."""
    return shown((str(error).strip() or type(error).__name__).splitlines()[0].rstrip("."), 200)


def shown(text: str, length: int = 40) -> str:
    """What stands in a file, short enough for a message."""
    return text if len(text) <= length else f"{text[: length - 3]}..."
