"""The training loop."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from nurbs_diff.splinenet._frame import normalise
from nurbs_diff.splinenet._losses import regression_loss, surface_loss
from nurbs_diff.splinenet._patches import Patches

if TYPE_CHECKING:
    from pathlib import Path

    from accelerate import Accelerator
    from jaxtyping import Float

    from nurbs_diff.splinenet._encoder import SplineNet

Source = Callable[[int, Generator], Patches]


@dataclass(frozen=True)
class TrainingSettings:
    """How a `SplineNet` is trained; the defaults are ParSeNet's.

    Attributes:
        steps: of Adam, each on new patches.
        batch_size: patches of a step, of each process.
        learning_rate: at the start.
        is_supervised: whether the loss is that of the control points and not of the surface.
        samples: surface points in each direction in the unsupervised loss.
        smoothing: factor of its Laplacian term.
        validate_every: steps between two looks at the validation patches.
        patience: looks without a better one after which the rate is halved.
        least_rate: where halving ends.
        seed: of the batches; each depends on it and the number of its step alone.

    >>> TrainingSettings(steps=100).batch_size
    36
    """

    steps: int
    batch_size: int = 36
    learning_rate: float = 1e-3
    is_supervised: bool = False
    samples: int = 40
    smoothing: float = 1e-5
    validate_every: int = 100
    patience: int = 10
    least_rate: float = 3e-5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "samples", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise ValueError(f"`learning_rate` must be positive and finite; got {self.learning_rate!r}.")


class History(NamedTuple):
    """The course of a training.

    Attributes:
        steps: after which the validation patches were looked at.
        losses: mean training loss since the look before.
        validation: the same loss on the validation patches.

    >>> History((100,), (0.2,), (0.3,)).validation[-1]
    0.3
    """

    steps: tuple[int, ...]
    losses: tuple[float, ...]
    validation: tuple[float, ...]


def train(
    model: SplineNet,
    source: Source,
    validation: Patches,
    settings: TrainingSettings,
    *,
    checkpoint: Path | None = None,
    callback: Callable[[int, int, float], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> History:
    """Trains a network in place, and goes on where it was killed.

    A run that is killed at any moment and started again with the same arguments does the steps since its last
    checkpoint again; on a CPU it ends with the same bits as a run that nobody killed.

    Under `accelerate launch` every process draws batches of its own, and a step takes the mean of their
    gradients: one process that accumulates the same batches makes the same steps. The running statistics
    are those of the first process. A file for `checkpoint` must be seen by all.

    Args:
        model: trains where it lies (move it to the GPU first).
        source: `source(count, generator)` returns patches, such as `random_patches`.
        validation: patches for choosing the learning rate; not for scores.
        settings: see `TrainingSettings`.
        checkpoint: file that holds the run, written at each look at the validation patches; None keeps none.
        callback: called as `callback(step, steps, loss)` after each step.
        log: gets one line at each look.

    Returns:
        The course, that from before an interruption included.

    Raises:
        ImportError: accelerate is missing (`pip install "nurbs-diff[train]"`).
        ValueError: a checkpoint that is damaged or belongs to another run.
        FloatingPointError: the loss is infinite or not a number.

    >>> from nurbs_diff.splinenet import SplineNet, random_patches
    >>> patches = random_patches(2, torch.Generator().manual_seed(0), size=4, points=20)
    >>> model = SplineNet(4, widths=(4, 4), features=8)
    >>> settings = TrainingSettings(steps=2, batch_size=2, samples=4)
    >>> train(model, lambda count, generator: patches, patches, settings).steps
    (2,)
    """
    accelerator = _accelerator()
    if accelerator.num_processes > 1:
        model.to(accelerator.device)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=settings.patience, min_lr=settings.least_rate
    )
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    shapes = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    identity = repr((asdict(settings), shapes, accelerator.num_processes))
    records: list[tuple[int, float, float]] = []
    if checkpoint is not None and checkpoint.exists():
        state = _load(checkpoint, identity)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        records = [tuple(record) for record in state["records"]]
        if log is not None:
            log(f"resumed after step {records[-1][0]} of {settings.steps}")

    prepared, prepared_optimizer = accelerator.prepare(model, optimizer)
    total, since = 0.0, 0
    for step in range(records[-1][0] + 1 if records else 1, settings.steps + 1):
        generator = _generator(settings.seed, step, accelerator.process_index)
        prepared.train()
        loss = _loss(prepared, source(settings.batch_size, generator), settings)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} in step {step}. Lower `learning_rate`.")
        prepared_optimizer.zero_grad()
        accelerator.backward(loss)
        prepared_optimizer.step()
        total, since = total + value, since + 1
        if callback is not None and accelerator.is_main_process:
            callback(step, settings.steps, value)
        if step % settings.validate_every and step < settings.steps:
            continue
        _take_buffers_of_main(accelerator, model)
        mean, held_out = total / since, validation_loss(model, validation, settings)
        records.append((step, *_agreed(accelerator, mean, held_out)))
        total, since = 0.0, 0
        scheduler.step(records[-1][2])
        if accelerator.is_main_process:
            if checkpoint is not None:
                state = {name: part.state_dict() for name, part in parts.items()}
                _save(checkpoint, {"identity": identity, "records": records, **state})
            if log is not None:
                rate = optimizer.param_groups[0]["lr"]
                log(
                    f"step {step}/{settings.steps}: loss {records[-1][1]:.3g}, on held-out patches "
                    f"{records[-1][2]:.3g}, learning rate {rate:.2g}"
                )
        accelerator.wait_for_everyone()
    model.eval()
    return History(*(tuple(column) for column in zip(*records, strict=True)))


def predict(
    model: SplineNet, clouds: Float[Tensor, "batch m 3"]
) -> tuple[Float[Tensor, "batch n n 3"], Float[Tensor, "batch n n"] | None]:
    """Control nets and weights for clouds as they are, in their own coordinates.

    Args:
        model: in evaluation mode, else the statistics of the batch decide.
        clouds: on the device of the model.

    Returns:
        Control points and weights (None for the polynomial variant) of bicubic surfaces with uniform clamped
        knots.

    >>> from nurbs_diff.splinenet import SplineNet
    >>> predict(SplineNet(4, widths=(4, 4), features=8).eval(), torch.rand(1, 20, 3))[0].shape
    torch.Size([1, 4, 4, 3])
    """
    unit, frame = normalise(clouds)
    with torch.no_grad():
        net, weights = model(unit)
    return frame.restore(net), weights


def validation_loss(model: SplineNet, patches: Patches, settings: TrainingSettings) -> float:
    """The loss on patches, batch by batch, without training."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(patches.clouds), settings.batch_size):
            part = Patches(*(values[first : first + settings.batch_size] for values in patches))
            total += float(_loss(model, part, settings)) * len(part.clouds)
    return total / len(patches.clouds)


def _loss(model: torch.nn.Module, patches: Patches, settings: TrainingSettings) -> Tensor:
    device = next(model.parameters()).device
    unit, frame = normalise(patches.clouds.to(device))
    net, weights = model(unit)
    if settings.is_supervised:
        return regression_loss(
            frame.scaled(net), frame.scaled(frame.apply(patches.control_points.to(device)))
        )
    return surface_loss(
        frame.scaled(net), weights, frame.scaled(unit), samples=settings.samples, smoothing=settings.smoothing
    )


def _take_buffers_of_main(accelerator: Accelerator, model: SplineNet) -> None:
    """Gives every process the running statistics of the first, which the checkpoint holds."""
    if accelerator.num_processes > 1:
        for buffer in model.buffers():
            torch.distributed.broadcast(buffer, 0)


def _agreed(accelerator: Accelerator, loss: float, held_out: float) -> tuple[float, float]:
    """The mean of the processes' losses, and the first one's validation: all must halve the rate together."""
    if accelerator.num_processes == 1:
        return loss, held_out
    from accelerate.utils import broadcast_object_list, gather_object

    losses = gather_object([loss])
    (agreed,) = broadcast_object_list([(sum(losses) / len(losses), held_out)])
    return agreed


def _generator(*entropy: int) -> Generator:
    """A generator of its own for each step of each process."""
    seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return Generator().manual_seed(int(seed) >> 1)


def _accelerator() -> Accelerator:
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise ImportError('`train` needs accelerate: pip install "nurbs-diff[train]".') from error
    return Accelerator(device_placement=False)


def _save(path: Path, state: dict[str, Any]) -> None:
    """Writes a whole file or none: under another name first, on the disk, then renamed."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    temporary = path.with_name(path.name + ".part")  # one name: the next one overwrites what a kill has left
    try:
        with temporary.open("wb") as file:
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _load(path: Path, identity: str) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["identity"]
    except Exception as error:  # torch reports a damaged file by many types
        raise ValueError(
            f"{path}: not a checkpoint of a training, or damaged. Remove it to start anew."
        ) from error
    if found != identity:
        raise ValueError(
            f"{path}: the checkpoint belongs to other settings or another network. Remove it to start anew."
        )
    return state
