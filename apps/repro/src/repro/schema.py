"""Turns JSON into frozen dataclasses, checking every name and type on the way."""

from __future__ import annotations

import json
import math
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from repro.errors import shown

T = TypeVar("T")


def decode(text: str, kind: type[T]) -> T:
    """Reads a dataclass whose fields are plain values, tuples, dicts and further dataclasses.

    Raises:
        ValueError: it is no JSON, holds a NaN or an infinity, lacks a name, has an unknown one, or a value of
            the wrong type; the message says where.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if r"\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()  # fails at half a character
        return _build(value, kind, "")
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON (line {error.lineno}: {error.msg})") from error
    except UnicodeEncodeError as error:
        raise ValueError(r"a \ud... in it is half a character") from error
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"it holds {constant}")


def _finite(text: str) -> float:
    """A number too large for a float would become an infinity."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it holds {shown(text)}, which is too large")
    return value


def _build(value: Any, kind: Any, where: str) -> Any:
    if kind is Any:
        return value
    arguments = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        kind = next(a for a in arguments if a is not type(None))
        arguments = get_args(kind)
    if get_origin(kind) is Literal:
        if value not in arguments:
            raise ValueError(
                f"`{where.lstrip('.')}` is {shown(json.dumps(value))}, none of {', '.join(arguments)}"
            )
        return value
    if is_dataclass(kind):
        return _build_dataclass(_expect(value, dict, where), kind, where)
    if get_origin(kind) is tuple:
        return tuple(
            _build(v, arguments[0], f"{where}[{i}]") for i, v in enumerate(_expect(value, list, where))
        )
    if get_origin(kind) is dict:
        return {k: _build(v, arguments[1], f"{where}.{k}") for k, v in _expect(value, dict, where).items()}
    if kind is float and type(value) is int:
        return _finite(str(value)[:400])  # whatever has more digits is beyond the range
    return _expect(value, kind, where)


def _build_dataclass(value: dict[str, Any], kind: Any, where: str) -> Any:
    hints = get_type_hints(kind)
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    for problem, names in (
        ("has no", required - value.keys()),
        ("has an unknown", value.keys() - hints.keys()),
    ):
        if names:
            raise ValueError(f"{where.lstrip('.') or 'it'} {problem} `{min(names)}`")
    return kind(**{name: _build(v, hints[name], f"{where}.{name}") for name, v in value.items()})


def _expect(value: Any, kind: type, where: str) -> Any:
    if type(value) is not kind:
        raise ValueError(
            f"`{where.lstrip('.')}` is {shown(json.dumps(value))} where a {kind.__name__} is expected"
        )
    return value
