"""The fast path: all pairs of components and rays, in chunks of rays."""

from fuzzy_metaballs._kernel.chunks import trace

__all__ = ["trace"]
