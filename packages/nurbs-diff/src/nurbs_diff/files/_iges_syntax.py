"""The fixed ASCII form of IGES 5.3: 80 columns, five sections, and entities with their parameters."""

from __future__ import annotations

from typing import NamedTuple

from nurbs_diff.files import _text


class Entity(NamedTuple):
    """Two lines of the directory, and where its parameters stand.

    Attributes:
        sequence: of its first directory line; what pointers name.
        type: such as 126.
        transform: sequence of its transformation matrix, or 0.
        use: what it serves as; 5 is a curve in the parameters of a surface.
        pointer: its first parameter line.
        lines: how many parameter lines.
    """

    sequence: int
    type: int
    transform: int
    use: int
    pointer: int
    lines: int

    @property
    def where(self) -> str:
        """For messages."""
        return f"entity {self.type} at D{self.sequence}"


class File(NamedTuple):
    """A file, taken apart.

    Attributes:
        settings: of the global section, as words.
        entities: by sequence.
        parameters: columns 1 to 64 and the directory pointer of each parameter line.
        marks: what separates parameters, and what ends them.
    """

    settings: list[str]
    entities: dict[int, Entity]
    parameters: list[tuple[str, str]]
    marks: tuple[str, str]

    def values(self, entity: Entity) -> list[str]:
        """The parameters of an entity after its type, as words.

        Raises:
            ValueError: they are not where the directory says.
        """
        first = entity.pointer - 1
        if first < 0 or entity.lines < 1 or first + entity.lines > len(self.parameters):
            raise ValueError(
                f"{entity.where}: its parameters should stand in lines P{entity.pointer} to "
                f"P{entity.pointer + entity.lines - 1}; there are {len(self.parameters)}. Repair the file."
            )
        own = self.parameters[first : first + entity.lines]
        for i, (_, owner) in enumerate(own, entity.pointer):
            if _text.integer(owner, f"{entity.where}: line P{i}, columns 65 to 72") != entity.sequence:
                raise ValueError(
                    f"{entity.where}: line P{i} belongs to D{owner.strip()}, not to it. Repair the file."
                )
        separator, end = self.marks
        text, found, _ = "".join(text for text, _ in own).partition(end)
        words = [word.strip() for word in text.split(separator)]
        if not found or words[0] != str(entity.type):
            raise ValueError(
                f"{entity.where}: its parameters must begin with {entity.type} and end with {end!r}. Repair "
                "the file."
            )
        return words[1:]


def taken_apart(text: str) -> File:
    """The sections of a file, once their counts and numbers are right.

    Raises:
        ValueError: this is no whole IGES file; says in which line.
    """
    sections: dict[str, list[str]] = {section: [] for section in "SGDPT"}
    order = "S"
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        section = line[72:73]
        if section in ("C", "B"):
            raise ValueError(
                f"line {number}: this is the compressed or binary form. Save it in the fixed ASCII form."
            )
        if section not in sections or "SGDPT".index(section) < "SGDPT".index(order):
            raise ValueError(
                f"line {number}: column 73 must name the section, S, G, D, P and T in turn; got "
                f"{_text.shown(section)}. This is no whole IGES file of fixed 80-column ASCII."
            )
        order = section
        lines = sections[section]
        if _text.integer(line[73:80], f"line {number}, columns 74 to 80") != len(lines) + 1:
            raise ValueError(
                f"line {number}: its number should be {section}{len(lines) + 1}; got {line[72:80].strip()}. "
                "A line is missing or out of order."
            )
        lines.append(line[:72])
    _check_counts(sections)
    separator, end, settings = _settings("".join(sections["G"]))
    entities: dict[int, Entity] = {}
    for i in range(0, len(sections["D"]), 2):
        entity = _entity(i + 1, sections["D"][i], sections["D"][i + 1])
        entities[entity.sequence] = entity
    return File(settings, entities, [(line[:64], line[64:72]) for line in sections["P"]], (separator, end))


def _check_counts(sections: dict[str, list[str]]) -> None:
    if len(sections["T"]) != 1:
        raise ValueError("the terminate section T is missing: the file ends early. Fetch it again.")
    last = sections["T"][0]
    for i, section in enumerate("SGDP"):
        told, there = last[8 * i : 8 * i + 8], len(sections[section])
        if told[:1] != section or _text.integer(told[1:], "the terminate section") != there:
            raise ValueError(
                f"the terminate section counts {told.strip()}; there are {there} lines {section}. Fetch the "
                "file again."
            )
    if len(sections["D"]) % 2:
        raise ValueError("the directory must have two lines for each entity. Repair the file.")


def _settings(text: str) -> tuple[str, str, list[str]]:
    """The words of the global section; strings are 5HWords."""
    separator = text[2:3] if text.startswith("1H") else ","
    words: list[str] = []
    end, place = ";", 3 if text.startswith("1H") else 0
    words.append(separator)
    if text[place : place + 1] != separator:
        raise ValueError("the global section must begin with 1H,, or with the separator. Repair the file.")
    place += 1
    while place < len(text):
        start = place
        while place < len(text) and (text[place].isdecimal() or (text[place] == " " and place == start)):
            start += text[place] == " "
            place += 1
        if text[place : place + 1] == "H" and start < place < start + 6:
            length = _text.integer(text[start:place], "the global section")
            word = text[place + 1 : place + 1 + length]
            place += 1 + length
        else:
            place = start
            while place < len(text) and text[place] not in (separator, end):
                place += 1
            word = text[start:place].strip()
        if len(words) == 1 and word:
            end = word
        words.append(word)
        mark = text[place : place + 1]
        if mark == end:
            return separator, end, words
        if mark != separator:
            break
        place += 1
    raise ValueError(f"the global section must end with {_text.shown(end)}. Repair the file.")


def _entity(sequence: int, first: str, second: str) -> Entity:
    def field(line: str, i: int) -> int:
        word = line[8 * i : 8 * i + 8].strip()
        return _text.integer(word, f"line D{sequence}, field {i + 1}") if word else 0

    kind = field(first, 0)
    if field(second, 0) != kind:
        raise ValueError(
            f"the lines D{sequence} and D{sequence + 1} name different entities. Repair the file."
        )
    status = first[64:72].rjust(8).replace(" ", "0")
    use = _text.integer(status[4:6], f"line D{sequence}, status")
    return Entity(sequence, kind, field(first, 6), use, field(first, 1), field(second, 3))
