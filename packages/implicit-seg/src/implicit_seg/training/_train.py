"""The training loop."""

from __future__ import annotations

import hashlib
import math
import re
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from implicit_seg._losses.weighted import WeightedLoss
from implicit_seg.training import _checkpoint
from implicit_seg.training._data import epoch_batches, epoch_seed
from implicit_seg.training._history import History
from implicit_seg.training._settings import TrainingSettings, make_optimizer, make_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from accelerate import Accelerator
    from torch import Tensor
    from torch.optim.lr_scheduler import LRScheduler
    from torch.utils.data import DataLoader

    from implicit_seg.training._data import Items


def train(
    model: nn.Module,
    items: Items,
    loss: Callable[[Tensor, Tensor], Tensor],
    settings: TrainingSettings,
    *,
    checkpoint: Path | None = None,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    callback: Callable[[int, int, float], None] | None = None,
    log: Callable[[str], None] | None = None,
    augmentation: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
) -> History:
    """Trains a model in place, and goes on where it was killed.

    The order of the data, the augmentation and the random layers of an epoch depend on `settings.seed` and
    the number of the epoch alone. A run that is killed at any moment and started again with the same
    arguments therefore does the epochs that are not finished, and on a CPU it ends with the same bits as a
    run that nobody killed.

    The model trains where it is (move it to the GPU first). Under `accelerate launch` every process trains on
    its own device, with its share of every batch: the weights are those of one process that averages the
    gradients of these shares. Batch normalisation sees one share at a time; its running statistics are those
    of the main process, as are the figures of `evaluate`. All processes end with the same model and history.

    Args:
        model: maps a batch of images to values, such as `nn.Sequential(UNetImplicit(...),
            TensorProductSplineHead(...))`.
        items: pairs of an image (channels, height, width) and its mask (classes, height, width): a list, or a
            map-style `torch.utils.data.Dataset`.
        loss: of values and masks, such as `DiceLoss()`. A loss with terms on the values alone is a function
            of both, too.
        settings: see `TrainingSettings`.
        checkpoint: file that holds the run after its last finished epoch; None keeps none.
        evaluate: called with the model in evaluation mode after each epoch; its figures are kept in the
            history.
        callback: called as `callback(step, total, loss)` after each step, 1-based, over all epochs.
        log: gets one line for each finished epoch once its checkpoint is on the disk.
        augmentation: changes a batch of images and masks, drawing from torch's generators alone (which are
            seeded for each epoch); such as kornia's. Done on the device of the model.

    Returns:
        The history of all epochs, those from before an interruption included.

    Raises:
        ImportError: accelerate is missing; `pip install "implicit-seg[train]"`.
        ValueError: `items` is empty or an item has a wrong shape; `checkpoint` is damaged or belongs to
            another run; `settings.monitor` is not among the figures.
        FloatingPointError: the loss is infinite or not a number; the checkpoint keeps the last finished
            epoch.

    >>> from implicit_seg import DiceLoss, UNet
    >>> image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> history = train(UNet(1, 4), [(image, (image > 0.5).float())], DiceLoss(), TrainingSettings(epochs=2))
    >>> len(history)
    2
    """
    accelerator = _accelerator()
    if len(items) == 0:  # pyright: ignore[reportArgumentType] (a map-style data set)
        raise ValueError("`items` is empty; give at least one pair of an image and a mask.")
    if accelerator.num_processes > 1:
        model.to(accelerator.device)
    optimizer = make_optimizer(settings, model.parameters())
    steps = len(epoch_batches(items, settings, 0, accelerator.process_index, accelerator.num_processes))
    scheduler = make_scheduler(settings, optimizer, settings.epochs * steps)
    records: list[dict[str, float]] = []
    best: dict[str, Tensor] | None = None
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    identity = _identity(model, items, loss, settings)
    identity["augmentation"] = augmentation is not None
    identity["processes"] = accelerator.num_processes  # which share out the batches of an epoch

    state = _checkpoint.load(Path(checkpoint), identity) if checkpoint is not None else None
    if state is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        records, best = state["records"], state["best"]
        if log is not None and accelerator.is_main_process:
            log(f"resumed after epoch {len(records)}/{settings.epochs} from {checkpoint}")

    prepared_model, prepared_optimizer = accelerator.prepare(model, optimizer)
    for epoch in range(len(records), settings.epochs):
        if _is_over(records, settings):
            break

        def report(step: int, value: float, epoch: int = epoch) -> None:
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the loss is {value} in epoch {epoch + 1}, step {step} of {steps}. "
                    "Lower `learning_rate`, or look for NaN in the images."
                )
            if callback is not None and accelerator.is_main_process:
                callback(epoch * steps + step, settings.epochs * steps, value)

        batches = epoch_batches(items, settings, epoch, accelerator.process_index, accelerator.num_processes)
        with _seeded(epoch_seed(settings.seed, epoch), next(model.parameters()).device):
            mean = _epoch(
                accelerator,
                prepared_model,
                prepared_optimizer,
                scheduler,
                loss,
                batches,
                report,
                augmentation,
            )
            model.eval()
            _take_buffers_of_main(accelerator, model)
            figures = evaluate(model) if evaluate is not None else {}
            records.append(_agreed(accelerator, mean, figures))
        if settings.patience is not None and _best_epoch(records, settings) == len(records):
            best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        if accelerator.is_main_process:
            if checkpoint is not None:
                state = {name: part.state_dict() for name, part in parts.items()}
                _checkpoint.save(Path(checkpoint), identity, state | {"records": records, "best": best})
            if log is not None:
                figures = ", ".join(f"{name} {value:.4g}" for name, value in records[-1].items())
                log(f"epoch {epoch + 1}/{settings.epochs}: {figures}")
        accelerator.wait_for_everyone()
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    return History(tuple(records))


def _best_epoch(records: list[dict[str, float]], settings: TrainingSettings) -> int:
    if settings.monitor not in records[-1]:
        raise ValueError(
            f"`settings.monitor` is {settings.monitor!r}; the figures of an epoch are "
            f"{', '.join(records[-1])}."
        )
    return History(tuple(records)).best_epoch(settings.monitor)


def _is_over(records: list[dict[str, float]], settings: TrainingSettings) -> bool:
    if settings.patience is None or not records:
        return False
    return len(records) - _best_epoch(records, settings) >= settings.patience


def _epoch(
    accelerator: Accelerator,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler,
    loss: Callable[[Tensor, Tensor], Tensor],
    batches: DataLoader,
    report: Callable[[int, float], None],
    augmentation: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None,
) -> float:
    """Does the steps of one epoch and returns the mean of their losses."""
    model.train()
    device = next(model.parameters()).device
    total = 0.0
    for step, (image, mask) in enumerate(batches, start=1):
        image, mask = image.to(device), mask.to(device)
        if augmentation is not None:
            image, mask = augmentation(image, mask)
        optimizer.zero_grad()
        if isinstance(loss, WeightedLoss):
            loss.step = scheduler.last_epoch  # counts steps, those before an interruption included
        error = loss(model(image), mask)
        value = float(error.detach())
        report(step, value)
        accelerator.backward(error)
        optimizer.step()
        scheduler.step()
        total += value
    return total / len(batches)


def _take_buffers_of_main(accelerator: Accelerator, model: nn.Module) -> None:
    """Running statistics follow each process's share of the data; the checkpoint holds the main process's."""
    if accelerator.num_processes > 1:
        for buffer in model.buffers():
            torch.distributed.broadcast(buffer, 0)


def _agreed(accelerator: Accelerator, loss: float, figures: Mapping[str, float]) -> dict[str, float]:
    """The record of an epoch, the same in all processes: or one would stop early, and the others wait."""
    if accelerator.num_processes == 1:
        return {"loss": loss, **figures}
    from accelerate.utils import broadcast_object_list, gather_object

    losses = gather_object([loss])
    (record,) = broadcast_object_list([{"loss": sum(losses) / len(losses), **figures}])
    return record


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds what random layers draw from, and leaves the caller's generators as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _accelerator() -> Accelerator:
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise ImportError('`train` needs accelerate: pip install "implicit-seg[train]".') from error
    return Accelerator(device_placement=False)


def _identity(model: nn.Module, items: Items, loss: Callable, settings: TrainingSettings) -> dict[str, Any]:
    """Returns what a checkpoint must agree with: settings, structure of the model, number of items, loss."""
    identity: dict[str, Any] = asdict(settings)
    del identity["workers"]
    identity["items"] = len(items)  # pyright: ignore[reportArgumentType] (a map-style data set)
    identity["loss"] = getattr(loss, "__qualname__", None) or _print_out(loss)
    shapes = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    # its print-out names what has no weights
    digest = hashlib.sha256(f"{_print_out(model)} {shapes}".encode()).hexdigest()
    identity["model"] = f"{type(model).__name__} {digest[:12]}"
    return identity


def _print_out(part: object) -> str:
    """Returns the `repr` without addresses in memory, which differ from process to process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part))
