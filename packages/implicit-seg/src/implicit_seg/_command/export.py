"""`implicit-seg export`: a trained model as a program of its own."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch

from implicit_seg._command import outputs
from implicit_seg._command.model import load
from implicit_seg.files import _atomic

if TYPE_CHECKING:
    from implicit_seg._command.options import Export


def run(command: Export) -> None:
    """Exports, runs the export on other data, and keeps the file where both agree."""
    target = _atomic.target(command.target, (".pt2",))
    spec, model = load(command.run)
    generator = torch.Generator().manual_seed(0)
    shape = (spec["channels"], *spec["size"])
    example, other = (torch.randn(count, *shape, generator=generator) for count in (2, 3))
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
    stream = io.BytesIO()
    torch.export.save(program, stream)
    stream.seek(0)
    again = torch.export.load(stream).module()
    with torch.no_grad():
        want, got = model(other), again(other)
    error, scale = float((want - got).abs().max()), float(want.abs().max())
    if not error <= 1e-5 * scale:  # a hundred roundings of float32
        raise ValueError(
            f"{target}: not written, the exported program differs from the model by {error:g} (of {scale:g})."
        )
    _atomic.write_bytes(target, stream.getvalue())
    outputs.say(
        f"{target}: images (batch, {', '.join(map(str, shape))}) in; differs from the model by {error:.2g}"
    )
