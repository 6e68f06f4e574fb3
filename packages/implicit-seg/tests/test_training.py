from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from implicit_seg import DiceLoss, TensorProductSplineHead, UNet, UNetImplicit, mask_mse_loss
from implicit_seg.training import History, TrainingSettings, train
from implicit_seg.training._data import epoch_batches, turn
from implicit_seg.training._settings import make_optimizer
from piecewise_testing import free_port, launch_two

SCRIPT = Path(__file__).with_name("killed_run.py")
IN_PROCESSES = Path(__file__).with_name("train_in_processes.py")
run = runpy.run_path(str(SCRIPT))["run"]


def small_model(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return UNet(1, 4)


@pytest.fixture
def items(generator):
    images = torch.rand(6, 1, 12, 12, generator=generator)
    return [(image, (image > 0.5).float()) for image in images]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return run(tmp_path_factory.mktemp("unbroken") / "checkpoint")


@pytest.mark.parametrize(
    ("step", "renaming", "finished"),
    [(8, 0, 2), (0, 3, 2), (2, 0, 0)],
    ids=["in the middle of an epoch", "while a checkpoint is written", "before the first checkpoint"],
)
def test_resumes_after_sigkill_with_the_same_bits(step, renaming, finished, unbroken, fork, tmp_path):
    checkpoint = tmp_path / "new folder" / "checkpoint"
    child = fork(lambda: run(checkpoint, die_at_step=step, die_before_renaming=renaming) and None)
    assert child.wait() == -signal.SIGKILL, child.output.read_text()
    model, lines, losses = run(checkpoint)
    want_model, want_lines, want_losses = unbroken
    before = child.output.read_text().splitlines()
    assert len(before) == finished
    if finished:
        assert lines.pop(0).startswith(f"resumed after epoch {finished}/4 from ")
    assert before + lines == want_lines  # no finished epoch is repeated, none is left out
    assert losses == want_losses
    for name, tensor in want_model.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def launched(folder: Path, fork) -> None:
    """By `accelerate launch`."""
    launch_two(IN_PROCESSES, folder)


def forked(folder: Path, fork) -> None:
    """By the variables that `accelerate launch` sets, which is quicker."""
    port = free_port()

    def trained(rank: int) -> None:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)  # what this process has trained
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "1"}
        runpy.run_path(str(IN_PROCESSES))["trained"](folder)

    children = [fork(lambda rank=rank: trained(rank)) for rank in (0, 1)]
    for child in children:
        assert child.wait() == 0, child.output.read_text()


@pytest.mark.parametrize("start", [forked, pytest.param(launched, marks=pytest.mark.slow)])
def test_two_processes_equal_one_that_averages_the_gradients_of_their_shares(start, fork, tmp_path):
    """Joined by gloo."""
    start(tmp_path, fork)
    (count, state, epochs), (_, other, other_epochs) = (
        torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)
    )
    assert count == 2
    assert all(torch.equal(state[name], other[name]) for name in state)  # running statistics included
    assert epochs == other_epochs
    assert [epoch["rank"] for epoch in epochs] == [0, 0]

    script = runpy.run_path(str(IN_PROCESSES))
    settings, model, items, loss = (
        script["SETTINGS"],
        script["small_model"](),
        script["items"](),
        DiceLoss(0.1),
    )
    optimizer = make_optimizer(settings, model.parameters())
    for epoch in range(settings.epochs):
        losses = []
        shares = [epoch_batches(items, settings, epoch, rank, 2) for rank in (0, 1)]
        for parts in zip(*shares, strict=True):
            optimizer.zero_grad()
            for image, mask in parts:
                losses.append(loss(model(image), mask))
                (losses[-1] / 2).backward()
            optimizer.step()
        assert epochs[epoch]["loss"] == pytest.approx(float(sum(losses)) / len(losses), rel=1e-6)
    for name, parameter in model.named_parameters():
        # float32, four steps: sums over pixels in another order, some ten eps of the largest weight
        torch.testing.assert_close(state[name], parameter.detach(), rtol=0, atol=2e-6)


def test_a_finished_run_is_not_repeated(unbroken, tmp_path):
    run(tmp_path / "checkpoint")
    model, lines, losses = run(tmp_path / "checkpoint")
    assert losses == unbroken[2]
    assert len(lines) == 1
    assert not model.training
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), unbroken[0].parameters(), strict=True))


def test_training_learns_and_tells(items):
    steps, evaluations = [], []

    def evaluate(model):
        assert not model.training
        evaluations.append(1)
        return {"score": 0.1 * len(evaluations)}

    settings = TrainingSettings(epochs=25, batch_size=4, optimizer="adam", learning_rate=1e-2)
    history = train(
        small_model(), items, mask_mse_loss, settings, evaluate=evaluate, callback=lambda *a: steps.append(a)
    )
    assert isinstance(history, History)
    assert len(history) == 25
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert history["score"] == pytest.approx([0.1 * k for k in range(1, 26)])
    assert [(step, total) for step, total, _ in steps] == [(k, 50) for k in range(1, 51)]


def test_global_generators_are_left_alone(items):
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    train(small_model(), items, DiceLoss(), TrainingSettings(epochs=1, augment=True))
    assert torch.equal(torch.rand(3), want)


def test_the_paper_s_optimizer(items):
    """One step of Nesterov's momentum from rest moves by (1 + 0.9) times learning rate times gradient."""
    model, image, mask = small_model(), *(torch.stack(x) for x in zip(*items, strict=True))
    before = [p.detach().clone() for p in model.parameters()]
    model.train()
    gradients = torch.autograd.grad(mask_mse_loss(model(image), mask), list(model.parameters()))
    train(model, items, mask_mse_loss, TrainingSettings(epochs=1, batch_size=6, learning_rate=0.01))
    for old, new, gradient in zip(before, model.parameters(), gradients, strict=True):
        torch.testing.assert_close(
            new, old - 0.019 * gradient, rtol=1e-4, atol=1e-6
        )  # the batch in another order


def test_order_follows_seed_and_epoch(items):
    def order(seed, epoch, processes=1):
        settings = TrainingSettings(batch_size=4, seed=seed, augment=True)
        shares = [list(epoch_batches(items, settings, epoch, rank, processes)) for rank in range(processes)]
        return [image for parts in zip(*shares, strict=True) for image, _ in parts for image in image]

    def same(a, b):
        return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(order(0, 1), order(0, 1))
    assert not same(order(0, 1), order(0, 2))
    assert not same(order(0, 1), order(1, 1))
    sums = sorted(float(image.double().sum()) for image in order(0, 1, processes=2))
    assert sums == pytest.approx(sorted(float(image.double().sum()) for image, _ in items))  # every item once


def test_turns_are_the_eight_symmetries(generator):
    square = torch.rand(1, 5, 5, generator=generator)
    turned = {tuple(turn(square, k).flatten().tolist()) for k in range(8)}
    mirrored = {tuple(turn(square.mT, k).flatten().tolist()) for k in range(8)}
    assert len(turned) == 8
    assert turned == mirrored
    rectangle = torch.rand(1, 4, 5, generator=generator)
    assert len({tuple(turn(rectangle, k).flatten().tolist()) for k in range(8)}) == 4
    assert {turn(rectangle, k).shape for k in range(8)} == {(1, 4, 5)}


@pytest.mark.gpu
def test_on_the_gpu(items):
    model = small_model().cuda()
    history = train(model, items, DiceLoss(), TrainingSettings(epochs=2))
    assert next(model.parameters()).is_cuda
    assert len(history) == 2


class TestMessages:
    def test_checkpoint_of_another_run(self, items, tmp_path):
        path = tmp_path / "checkpoint"
        train(small_model(), items, DiceLoss(), TrainingSettings(epochs=1), checkpoint=path)
        other = TrainingSettings(epochs=1, learning_rate=0.5)
        with pytest.raises(
            ValueError, match=r"checkpoint belongs to another run \(learning_rate was 0.001, is 0.5\)"
        ):
            train(small_model(), items, DiceLoss(), other, checkpoint=path)
        with pytest.raises(
            ValueError, match=r"loss was .DiceLoss\(epsilon=0.0001, .*\)., is .mask_mse_loss."
        ):
            train(small_model(), items, mask_mse_loss, TrainingSettings(epochs=1), checkpoint=path)
        with pytest.raises(ValueError, match=r"model was 'UNet .*', is 'UNet .*'.* Delete it to start anew"):
            train(UNet(1, 5), items, DiceLoss(), TrainingSettings(epochs=1), checkpoint=path)
        with pytest.raises(ValueError, match="items was 6, is 5"):
            train(small_model(), items[:5], DiceLoss(), TrainingSettings(epochs=1), checkpoint=path)

    def test_checkpoint_of_another_degree(self, items, tmp_path):
        """A head has no weights, and yet it belongs to the model that a checkpoint holds."""
        path, settings = tmp_path / "checkpoint", TrainingSettings(epochs=1)
        network = UNetImplicit(1, 3, 4)
        model = nn.Sequential(network, TensorProductSplineHead(network.grid, (12, 12), 1))
        train(model, items, DiceLoss(), settings, checkpoint=path)
        model[1] = TensorProductSplineHead(network.grid, (12, 12), 2)
        with pytest.raises(ValueError, match=r"model was .*, is "):
            train(model, items, DiceLoss(), settings, checkpoint=path)

    @pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
    def test_damaged_checkpoint(self, damage, items, tmp_path):
        path = tmp_path / "checkpoint"
        train(small_model(), items, DiceLoss(), TrainingSettings(epochs=1), checkpoint=path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        damaged = {"cut": content[: len(content) // 3], "bit": content, "empty": b"", "other": b"PNG" * 99}
        path.write_bytes(damaged[damage])
        with pytest.raises(ValueError, match=r"checkpoint is damaged .* Delete it to start anew"):
            train(small_model(), items, DiceLoss(), TrainingSettings(epochs=1), checkpoint=path)

    def test_missing_accelerate(self, items, monkeypatch):
        monkeypatch.setitem(sys.modules, "accelerate", None)
        with pytest.raises(ImportError, match=r'pip install "implicit-seg\[train\]"'):
            train(small_model(), items, DiceLoss(), TrainingSettings(epochs=1))

    def test_infinite_loss(self, items):
        bad = [(image * float("nan"), mask) for image, mask in items]
        with pytest.raises(
            FloatingPointError, match=r"the loss is nan in epoch 1, step 1 of 1\. Lower `learning_rate`"
        ):
            train(small_model(), bad, DiceLoss(), TrainingSettings(epochs=1))

    def test_items(self, items):
        with pytest.raises(ValueError, match="`items` is empty"):
            train(small_model(), [], DiceLoss(), TrainingSettings())
        wrong = [(image, mask[:, :5]) for image, mask in items]
        with pytest.raises(ValueError, match=r"item \d of `items`.* got \(1, 12, 12\) and \(1, 5, 12\)"):
            train(small_model(), wrong, DiceLoss(), TrainingSettings(epochs=1))

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"epochs": 0}, "`epochs` must be at least 1; got 0"),
            ({"batch_size": 0}, "`batch_size` must be at least 1; got 0"),
            ({"seed": -1}, "`seed` must not be negative; got -1"),
            ({"learning_rate": 0.0}, "`learning_rate` must be positive; got 0.0"),
            ({"optimizer": "lion"}, "`optimizer` must be one of .*'sgd', 'adam'.* got 'lion'"),
            ({"schedule": "step"}, "`schedule` must be one of .* got 'step'"),
        ],
    )
    def test_settings(self, setting, message, unchecked):
        with pytest.raises(ValueError, match=message):
            TrainingSettings(**setting)
