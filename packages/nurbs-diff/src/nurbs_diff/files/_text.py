"""Text and numbers, shared by the formats."""

from __future__ import annotations

import math


def decoded(data: bytes) -> str:
    """The text of a file.

    Raises:
        ValueError: it is no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8. Save the file as UTF-8 text.") from None


def real(word: str, where: str) -> float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    try:
        value = float(word) if "_" not in word else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: {shown(word)} is no finite number. Repair it.")
    return value


def integer(word: str, where: str) -> int:
    """A whole number of at most nine digits, which no count in a file exceeds.

    Raises:
        ValueError: it is none.
    """
    digits = word.strip()
    if digits.lstrip("+-").isdecimal() and digits.isascii() and len(digits) <= 10:
        try:
            return int(digits)
        except ValueError:
            pass
    raise ValueError(f"{where}: {shown(word)} is no whole number of a sensible size. Repair it.")


def shown(word: object) -> str:
    """What stands in the file, short enough for one line."""
    text = repr(word)
    return text if len(text) <= 40 else f"{text[:37]}..."


def shortest(value: float, exponent: str) -> str:
    """The shortest decimal that is read back as the same float64, with the point that STEP and IGES ask for.

    >>> shortest(1e-5, "E"), shortest(0.1, "E"), shortest(1e22, "D"), shortest(-0.0, "E")
    ('1.E-05', '0.1', '1.D+22', '-0.0')
    """
    mantissa, mark, power = repr(float(value)).partition("e")
    if "." not in mantissa:
        mantissa += "."
    return f"{mantissa}{exponent}{power}" if mark else mantissa
