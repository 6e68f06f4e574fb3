"""`implicit-seg export`: a trained model as a program of its own."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import torch

from implicit_seg._command import outputs
from implicit_seg._command.model import load
from implicit_seg.files import _atomic
from implicit_seg.files._extra import named_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from implicit_seg._command.options import Export


def run(command: Export) -> None:
    """Exports, runs the export on other data, and keeps the file where both agree."""
    target = _atomic.target(command.target, tuple(_WAYS))
    spec, model = load(command.run)
    generator = torch.Generator().manual_seed(0)
    shape = (spec["channels"], *spec["size"])
    example, other = (torch.randn(count, *shape, generator=generator) for count in (2, 3))
    content, exported = _WAYS[target.suffix](model, example)
    with torch.no_grad():
        want, got = model(other), exported(other)
    error, scale = float((want - got).abs().max()), float(want.abs().max())
    if not error <= 1e-5 * scale:  # a hundred roundings of float32
        raise ValueError(
            f"{target}: not written, the exported program differs from the model by {error:g} (of {scale:g})."
        )
    _atomic.write_bytes(target, content)
    outputs.say(
        f"{target}: images (batch, {', '.join(map(str, shape))}) in; differs from the model by {error:.2g}"
    )


def _program(model: nn.Module, example: Tensor) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    """The file for `torch.export.load`, and what it does."""
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
    stream = io.BytesIO()
    torch.export.save(program, stream)
    stream.seek(0)
    return stream.getvalue(), torch.export.load(stream).module()


def _onnx(model: nn.Module, example: Tensor) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    """The file for ONNX Runtime, and what that makes of it."""
    with named_extra("a file .onnx", "onnx"):
        import onnxruntime
        import onnxscript  # noqa: F401  # torch asks for it
    batch = torch.export.Dim("batch", min=1)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells its progress
        program = torch.onnx.export(
            model,
            (example,),
            input_names=["images"],
            output_names=["values"],
            dynamic_shapes=({0: batch},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda images: torch.from_numpy(session.run(["values"], {"images": images.numpy()})[0])


_WAYS = {".pt2": _program, ".onnx": _onnx}
