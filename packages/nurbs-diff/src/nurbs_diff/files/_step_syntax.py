"""The clear-text encoding of STEP (ISO 10303-21): from characters to instances and their parameters."""

from __future__ import annotations

import re
from typing import NamedTuple

from nurbs_diff.files import _text

Value = object  # a number, a string, a list of values, Ref, Enum, Typed, or None for $ and *


class Ref(NamedTuple):
    """`#17`."""

    number: int


class Enum(NamedTuple):
    """`.T.`."""

    name: str


class Typed(NamedTuple):
    """`NAME(...)`: a record of an instance, or a value with its type."""

    name: str
    values: list[Value]


class Instance(NamedTuple):
    """One line `#17=...;` of the data section, not yet read any further."""

    number: int
    line: int
    name: str
    body: str

    @property
    def where(self) -> str:
        """For messages."""
        return f"line {self.line}, #{self.number}"

    def records(self) -> dict[str, list[Value]]:
        """The parameters of each of its records: one, or several where the instance is complex.

        Raises:
            ValueError: they are malformed.
        """
        values = _values(self.body, self.where)
        if self.name:
            (record,) = values
            values = [record]
        elif len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        if not values or not all(isinstance(value, Typed) for value in values):
            raise ValueError(
                f"{self.where}: records NAME(...) must stand there; got {_text.shown(self.body)}."
            )
        return {value.name: value.values for value in values if isinstance(value, Typed)}


_SPLIT = re.compile(r"'[^']*'|/\*.*?\*/|;|'|/\*", re.DOTALL)
_INSTANCE = re.compile(r"\s*#(\d{1,18})\s*=\s*(?:(!?[A-Za-z_][A-Za-z0-9_]*)\s*(?=\())?(?=\()")
_TOKEN = re.compile(
    r"\s*(?:(?P<real>[+-]?\d+\.\d*(?:[Ee][+-]?\d+)?)|(?P<int>[+-]?\d+)|\#(?P<ref>\d{1,18})"
    r"|(?P<string>'[^']*(?:''[^']*)*')|\.(?P<enum>[A-Za-z_][A-Za-z0-9_]*)\."
    r"|(?P<name>!?[A-Za-z_][A-Za-z0-9_]*)|(?P<mark>[(),$*])|(?P<binary>\"[0-9A-Fa-f]*\"))"
)
END = "END-ISO-10303-21"


def instances(text: str) -> dict[int, Instance]:
    """The instances of all data sections, by number.

    Raises:
        ValueError: this is no whole STEP file; says in which line.
    """
    statements = _statements(text)
    if not statements or statements[0][1] != "ISO-10303-21":
        raise ValueError("line 1: ISO-10303-21; must stand there. This is no STEP file (.step, .stp).")
    if not any(statement == END for _, statement in statements):
        raise ValueError(f"{END}; is missing: the file ends early. Fetch it again.")
    found: dict[int, Instance] = {}
    section = ""
    for line, statement in statements[1:]:
        if statement == END:
            break
        if statement == "ENDSEC":
            section = ""
        elif not section:
            section = statement.partition("(")[0].strip()
        elif section == "DATA":
            instance = _instance(line, statement)
            if instance.number in found:
                raise ValueError(
                    f"{instance.where}: the number was given before, in line {found[instance.number].line}. "
                    "Repair the file."
                )
            found[instance.number] = instance
    if section:
        raise ValueError(f"the section {section[:20]} is not ended by ENDSEC;. Fetch the file again.")
    return found


def _instance(line: int, statement: str) -> Instance:
    match = _INSTANCE.match(statement)
    if match is None:
        raise ValueError(
            f"line {line}: #number=NAME(...); must stand there; got {_text.shown(statement)}. Repair the "
            "file."
        )
    name = (match[2] or "").upper()
    return Instance(int(match[1]), line, name, statement[match.start(2) if name else match.end() :])


def _statements(text: str) -> list[tuple[int, str]]:
    """What stands between semicolons, without comments, each with its line."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    start = line = 0
    counted_to = 0
    for match in _SPLIT.finditer(text):
        piece = match[0]
        if piece == ";":
            parts.append(text[start : match.start()])
            statement = "".join(parts)
            lead = len(statement) - len(statement.lstrip())
            begin = text.count("\n", counted_to, match.start())
            inside = statement.count("\n", lead)
            found.append((line + begin - inside + 1, statement.strip()))
            line, counted_to = line + begin, match.start()
            parts, start = [], match.end()
        elif piece.startswith("/*"):
            if len(piece) == 2:
                raise ValueError(
                    f"line {_line(text, match.start())}: the comment /* is not closed. Repair the file."
                )
            parts.append(text[start : match.start()] + " " + "\n" * piece.count("\n"))
            start = match.end()
        elif piece == "'":
            raise ValueError(
                f"line {_line(text, match.start())}: the string ' is not closed. Repair the file."
            )
    rest = text[start:].strip()
    if rest:
        raise ValueError(
            f"line {_line(text, start)}: after the last semicolon stands {_text.shown(rest)}. The file ends "
            "early; fetch it again."
        )
    return found


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _values(body: str, where: str) -> list[Value]:
    """Parameters, read without recursion: a hostile file may nest as deeply as it likes."""
    stack: list[list[Value]] = [[]]
    names: list[str | None] = []
    name: str | None = None
    place, length = 0, len(body.rstrip())
    while place < length:
        match = _TOKEN.match(body, place)
        kind = None if match is None else match.lastgroup
        word = "" if match is None or kind is None else match[kind]
        if match is None or (name is not None and word != "("):
            raise ValueError(
                f"{where}: cannot read {_text.shown(body[place : place + 40].strip())}. Repair the file."
            )
        place = match.end()
        if kind == "name":
            name = word.upper()
        elif word == "(":
            stack.append([])
            names.append(name)
            name = None
        elif word == ")":
            if not names:
                raise ValueError(f"{where}: a bracket ) too many. Repair the file.")
            values, label = stack.pop(), names.pop()
            stack[-1].append(values if label is None else Typed(label, values))
        elif word != ",":
            stack[-1].append(_value(kind, word, where))
    if names or name is not None:
        raise ValueError(f"{where}: a bracket ) is missing. Repair the file.")
    return stack[0]


def _value(kind: str | None, word: str, where: str) -> Value:
    if kind == "real":
        return _text.real(word, where)
    if kind == "int":
        return int(word) if len(word) < 16 else _text.real(word, where)
    if kind == "ref":
        return Ref(int(word))
    if kind == "enum":
        return Enum(word.upper())
    if kind == "string":
        return word[1:-1].replace("''", "'")
    return None if kind == "mark" else word
