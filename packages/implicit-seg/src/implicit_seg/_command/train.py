"""`implicit-seg train`: a folder of images and one of masks in, a model out."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import PartialState

from implicit_seg import AccuracyLoss, DiceLoss, JaccardLoss, MaskMAELoss, MaskMSELoss
from implicit_seg._command import augment, outputs
from implicit_seg._command.folder import Pair, Slices, read_pairs
from implicit_seg._command.model import build, description, device_of, parameters, save
from implicit_seg.files import _atomic
from implicit_seg.training import History, TrainingSettings, train

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from torch import nn

    from implicit_seg._command.options import Train


def run(command: Train) -> None:
    """Reads and checks all pairs first; then trains, and writes the model when all is done."""
    outputs.check_folder("--out", command.out)
    if not 0 <= command.validation < 1:
        raise ValueError(f"--validation must lie between 0 and 1; got {command.validation}.")
    if command.window is not None and not command.window[0] < command.window[1]:
        raise ValueError(f"--window must be two rising numbers; got {command.window}.")
    state = PartialState(cpu=command.device == "cpu")
    device = torch.device(state.device or "cpu") if state.num_processes > 1 else device_of(command.device)
    settings = _settings(command)
    pairs = read_pairs(command.images, command.masks, command.labels, size=command.size, uniform=True)
    size = command.size or (pairs[0].image.shape[1], pairs[0].image.shape[2])
    trained, held = _split(pairs, command.validation, command.seed)
    items, validation = (Slices(part, size, command.window) for part in (trained, held))
    spec = description(command, pairs[0].image.shape[3], size)
    with torch.random.fork_rng():
        torch.manual_seed(command.seed)
        model = build(spec).to(device)
    if state.is_main_process:
        command.out.mkdir(parents=True, exist_ok=True)
        described = {
            "model": spec,
            "data": _digest(pairs),
            "augment": command.augment,
            "validation": [pair.name for pair in held],
        }
        _check_same_run(command.out, described)
        _write_json(command.out / "settings.json", described)
        outputs.say(
            f"{len(items)} images to train on, {len(validation)} to validate; {size[0]} x {size[1]}; "
            f"{command.network} with {parameters(model):,} parameters on {device}"
        )
    state.wait_for_everyone()
    loss = _loss(command)

    def evaluate(model: nn.Module) -> dict[str, float]:
        return _scores(model, validation, loss, device, command.batch_size)

    with outputs.Bar("train", "loss", shown=state.is_main_process) as bar:
        history = train(
            model,
            items,
            loss,
            settings,
            checkpoint=command.out / "checkpoint",
            evaluate=evaluate if held else None,
            callback=bar,
            log=bar.log,
            augmentation=augment.full() if command.augment == "full" else None,
        )
    if state.is_main_process:
        _write_history(command.out / "history.csv", history)
        outputs.write_figure(command.out / "curves.png", curves(history))
        save(command.out / "model.pt", spec, model)
        outputs.say(f"{command.out / 'model.pt'}: {_best(history, settings)}")


def _digest(pairs: list[Pair]) -> str:
    """The same for the same names, images and masks."""
    digest = hashlib.sha256()
    for pair in pairs:
        assert pair.mask is not None
        digest.update(f"{pair.name} {pair.image.shape} {pair.image.dtype}".encode())
        digest.update(np.ascontiguousarray(pair.image).tobytes())
        digest.update(np.packbits(pair.mask).tobytes())
    return digest.hexdigest()[:16]


def _check_same_run(out: Path, described: dict[str, Any]) -> None:
    """What `train` cannot know of a checkpoint: the data, and how they were prepared."""
    path = out / "settings.json"
    if not (out / "checkpoint").exists() or not path.exists():
        return
    stored = json.loads(path.read_text())
    differing = [name for name in described if stored.get(name) != described[name]]
    if differing:
        raise ValueError(
            f"--out {out}: holds another run; what differs is its {', '.join(differing)}. Name another "
            "folder, or delete it to start anew."
        )


def _settings(command: Train) -> TrainingSettings:
    if command.patience is not None and command.validation == 0:
        raise ValueError("--patience needs images to validate on: give --validation a share above 0.")
    return TrainingSettings(
        epochs=command.epochs,
        batch_size=command.batch_size,
        optimizer=command.optimizer,
        learning_rate=command.learning_rate,
        schedule=command.schedule,
        augment=command.augment != "none",
        seed=command.seed,
        patience=command.patience,
        monitor="loss" if command.validation == 0 else "validation_loss",
    )


def _loss(command: Train) -> nn.Module:
    soft = {"dice": DiceLoss, "jaccard": JaccardLoss, "accuracy": AccuracyLoss}
    if command.loss in soft:
        return soft[command.loss](command.epsilon)
    return {"mask-mae": MaskMAELoss, "mask-mse": MaskMSELoss}[command.loss]()


def _split(pairs: list[Pair], share: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Whole files are held out, so that no slice of a volume is on both sides."""
    count = round(share * len(pairs))
    if share and count == 0:
        count = 1
    if count >= len(pairs):
        raise ValueError(
            f"--validation {share:g} of {len(pairs)} files leaves none to train on. Give more images, or 0."
        )
    held = set(np.random.default_rng(seed).permutation(len(pairs))[:count].tolist())
    parts = ([], [])
    for k, pair in enumerate(pairs):
        parts[k in held].append(pair)
    return parts


def _scores(
    model: nn.Module, items: Slices, loss: nn.Module, device: torch.device, batch_size: int
) -> dict[str, float]:
    """Mean loss of the batches, and the Dice score of all pixels together."""
    losses, common, total = [], 0, 0
    with torch.no_grad():
        for first in range(0, len(items), batch_size):
            several = [items[k] for k in range(first, min(first + batch_size, len(items)))]
            image, mask = (torch.stack(part).to(device) for part in zip(*several, strict=True))
            values = model(image)
            losses.append(float(loss(values, mask)))
            inside, true = values > 0, mask > 0
            common += int((inside & true).sum())
            total += int(inside.sum()) + int(true.sum())
    return {
        "validation_loss": float(np.mean(losses)),
        "validation_dice": 2 * common / total if total else 1.0,
    }


def _best(history: History, settings: TrainingSettings) -> str:
    epoch = history.best_epoch(settings.monitor) if settings.patience is not None else len(history)
    figures = ", ".join(f"{name} {value:.4g}" for name, value in history.epochs[epoch - 1].items())
    return f"weights of epoch {epoch} of {len(history)}: {figures}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _atomic.write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def _write_history(path: Path, history: History) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["epoch", *history.epochs[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"epoch": k, **epoch} for k, epoch in enumerate(history.epochs, 1))
    _atomic.write_bytes(path, stream.getvalue().encode())


def curves(history: History) -> Figure:
    """The learning curves: losses on the left, scores on the right."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = list(history.epochs[0])
    groups = [[name for name in names if ("loss" in name) == is_loss] for is_loss in (True, False)]
    groups = [group for group in groups if group]
    figure = Figure(figsize=(4.5 * len(groups), 3.2), layout="constrained")
    epochs = np.arange(1, len(history) + 1)
    for axes, group in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        for name in group:
            axes.plot(
                epochs, history[name], label=name.replace("_", " "), marker="." if len(epochs) < 30 else ""
            )
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure
