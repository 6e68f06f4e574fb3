"""Frozen dataclasses as JAX pytrees that check themselves only when a user builds them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import jax

T = TypeVar("T")


def register(cls: type[T], static: tuple[str, ...] = ()) -> type[T]:
    """Registers a dataclass as a pytree; the fields named in `static` are part of its structure.

    Rebuilding by JAX goes past `__init__`: inside `jit`, `vmap` and `tree.map` the leaves may be tracers,
    batches or placeholders, and the checks of `__post_init__` are for what users pass.
    """
    names = [field.name for field in fields(cls) if field.name not in static]  # pyright: ignore[reportArgumentType]

    def flatten_with_keys(value: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        leaves = [(jax.tree_util.GetAttrKey(name), getattr(value, name)) for name in names]
        return leaves, tuple(getattr(value, name) for name in static)

    def flatten(value: Any) -> tuple[list[Any], tuple[Any, ...]]:
        return [getattr(value, name) for name in names], tuple(getattr(value, name) for name in static)

    def unflatten(structure: tuple[Any, ...], leaves: Any) -> T:
        value = object.__new__(cls)
        for name, leaf in (*zip(names, leaves, strict=True), *zip(static, structure, strict=True)):
            object.__setattr__(value, name, leaf)
        return value

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
