from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from nurbs_diff import bending_energy, chamfer_distance, evaluate_surface, splinenet, uniform_knots
from nurbs_diff.splinenet import (
    History,
    Patches,
    SplineNet,
    TrainingSettings,
    normalise,
    predict,
    random_patches,
    read_parsenet,
    regression_loss,
    surface_loss,
    train,
)
from nurbs_diff.splinenet._encoder import EdgeConvolution, nearest_neighbours
from nurbs_diff.splinenet._patches import sample_by_area

TINY = TrainingSettings(steps=6, batch_size=3, samples=6, validate_every=2)


def tiny(**options: object) -> SplineNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SplineNet(4, widths=(8, 8), features=16, **options)  # pyright: ignore[reportArgumentType]


def clouds(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, 3, generator=generator) * torch.tensor([1.0, 2.0, 0.3])


def test_parameters_are_counted_as_in_parsenet() -> None:
    """By hand: four edge convolutions without bias, three layers of 1024, the outputs, the norms."""
    edges = 2 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 256)
    layers = 512 * 1024 + 2 * 1024 * 1025
    norms = 2 * (64 + 64 + 128 + 256 + 3 * 1024)
    for is_rational, outputs in ((False, 1200), (True, 1600)):
        want = edges + layers + norms + 1025 * outputs
        found = sum(p.numel() for p in SplineNet(is_rational=is_rational).parameters())
        assert found == want == (4_361_152 if is_rational else 3_951_152)


def test_edge_convolution_equals_its_definition(generator: Generator) -> None:
    layer = EdgeConvolution(3, 5).double().eval()
    torch.nn.init.normal_(layer.norm.running_mean, generator=generator)  # pyright: ignore[reportArgumentType]
    torch.nn.init.normal_(layer.norm.weight, generator=generator)
    x = clouds(generator, 2, 12).double()
    neighbours = nearest_neighbours(x, 4)
    want = torch.empty(2, 12, 5, dtype=torch.float64)
    for b in range(2):
        for i in range(12):
            edges = torch.stack([torch.cat([x[b, j] - x[b, i], x[b, i]]) for j in neighbours[b, i]])
            want[b, i] = F.leaky_relu(layer.norm(layer.linear(edges)), 0.2).amax(0)
    assert_close(layer(x, neighbours), want, rtol=0, atol=1e-13)  # sums of six terms of order one
    table = torch.cdist(x, x)
    assert_close(table.gather(2, neighbours).amax(2), table.sort(2).values[..., 3])


def test_the_order_of_the_points_does_not_matter(generator: Generator) -> None:
    model, points = tiny(is_rational=True).eval(), clouds(generator, 2, 40)
    net, weights = model(points)
    shuffled, other = model(points[:, torch.randperm(40, generator=generator)])
    assert_close(shuffled, net, rtol=0, atol=1e-5)  # single precision through six layers
    assert weights is not None
    assert_close(other, weights, rtol=1e-4, atol=0)
    assert net.abs().max() < 1
    assert 0.1 < weights.min() <= weights.max() < 10
    with pytest.raises(ValueError, match=r"clouds of 9 points; 10 neighbours need as many"):
        model(points[:, :9])


def test_frames_lead_back_and_forget_place_and_direction(generator: Generator) -> None:
    points = clouds(generator, 3, 60).double()
    unit, frame = normalise(points)
    assert_close(unit.amax(1) - unit.amin(1), torch.ones(3, 3, dtype=torch.float64))
    assert_close(frame.restore(unit), points)
    assert_close(frame.apply(points), unit)
    assert_close(torch.linalg.det(frame.axes), torch.ones(3, dtype=torch.float64))
    scaled = frame.scaled(unit)
    ratio = (scaled[0, 1] - scaled[0, 0]).norm() / (points[0, 1] - points[0, 0]).norm()
    assert_close((scaled[0, 9] - scaled[0, 4]).norm(), ratio * (points[0, 9] - points[0, 4]).norm())
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    rotation[:, 0] *= torch.linalg.det(rotation).sign()
    assert_close(normalise(5 * points @ rotation + 2)[0], unit, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match=r"all points of cloud 1 coincide"):
        normalise(torch.stack([points[0], torch.zeros(60, 3, dtype=torch.float64)]))


def test_patches_are_sampled_from_their_surfaces(generator: Generator) -> None:
    patches = random_patches(6, generator, size=7, points=50)
    knots, u = uniform_knots(7, 3), torch.linspace(0, 1, 120)
    for cloud, net in zip(*patches, strict=True):
        surface = evaluate_surface(net, knots, knots, u, u).flatten(0, 1)
        assert torch.cdist(cloud, surface).amin(1).max() < 0.03  # the step of the grid
    again = random_patches(6, Generator().manual_seed(20240817), size=7, points=50)
    assert torch.equal(again.clouds, patches.clouds)


def test_sampling_is_uniform_by_area() -> None:
    """On a rectangle whose parameter runs quadratically, the points are uniform in length all the same."""
    line = torch.tensor([0.0, 0.0, 1 / 3, 1.0], dtype=torch.float64)  # x = u^2
    x, y = torch.meshgrid(line, torch.linspace(0, 1, 4, dtype=torch.float64), indexing="ij")
    net = torch.stack([x, y, 0 * x], -1).unsqueeze(0)
    cloud = sample_by_area(net, 20_000, Generator().manual_seed(0))[0]
    shares = torch.histc(cloud[:, 0], 10, 0, 1) / 20_000
    assert_close(shares, torch.full((10,), 0.1, dtype=torch.float64), rtol=0, atol=0.01)  # five deviations


def test_losses(generator: Generator) -> None:
    net = torch.rand(2, 5, 5, 3, generator=generator, dtype=torch.float64)
    cloud = torch.rand(2, 30, 3, generator=generator, dtype=torch.float64)
    knots, u = uniform_knots(5, 3), torch.linspace(0, 1, 8, dtype=torch.float64)
    surface = evaluate_surface(net, knots, knots, u, u).flatten(1, 2)
    want = (
        chamfer_distance(surface, cloud) + 0.1 * bending_energy(net, knots, knots, penalty="laplacian")
    ).mean()
    assert_close(surface_loss(net, None, cloud, samples=8, smoothing=0.1), want)
    for order in (net.flip(1), net.flip(2), net.transpose(1, 2), net.transpose(1, 2).flip(1, 2)):
        assert regression_loss(order, net) == 0
    moved = net + torch.tensor([0.0, 0.0, 0.1])
    assert float(regression_loss(moved.flip(1), net)) == pytest.approx(0.01)
    assert float(regression_loss(net.roll(1, 1), net)) > 0.01  # no symmetry of the grid


@pytest.mark.parametrize("is_supervised", [False, True])
def test_training_resumes_to_the_same_bits(tmp_path: Path, is_supervised: bool) -> None:
    settings = replace(TINY, is_supervised=is_supervised)
    validation = random_patches(4, Generator().manual_seed(1), size=4, points=40)
    calls: list[int] = []
    lines: list[str] = []

    class Killed(Exception):  # noqa: N818
        pass

    def source(count: int, generator: Generator) -> Patches:
        return random_patches(count, generator, size=4, points=40)

    def kill(step: int, steps: int, loss: float) -> None:
        if step == 5:
            raise Killed

    whole = tiny()
    history = train(whole, source, validation, settings, callback=lambda step, *_: calls.append(step))
    assert calls == [1, 2, 3, 4, 5, 6]
    assert history.steps == (2, 4, 6)
    path = tmp_path / "checkpoint"
    with pytest.raises(Killed):
        train(tiny(), source, validation, settings, checkpoint=path, callback=kill)
    model = tiny()
    resumed = train(model, source, validation, settings, checkpoint=path, log=lines.append)
    assert lines[0] == "resumed after step 4 of 6"
    assert resumed == history
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole.state_dict().values(), model.state_dict().values(), strict=True)
    )
    assert (
        train(tiny(), source, validation, settings, checkpoint=path) == history
    )  # finished: nothing is done
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]
    with pytest.raises(ValueError, match=r"checkpoint belongs to other settings or another network"):
        train(tiny(), source, validation, replace(settings, steps=9), checkpoint=path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"not a checkpoint of a training, or damaged. Remove it"):
        train(tiny(), source, validation, settings, checkpoint=path)


@pytest.mark.parametrize("is_supervised", [False, True])
def test_training_on_the_same_patches_fits_them(is_supervised: bool) -> None:
    patches = random_patches(3, Generator().manual_seed(1), size=4, points=40)
    settings = replace(TINY, steps=40, validate_every=5, learning_rate=1e-2, is_supervised=is_supervised)
    history = train(tiny(), lambda count, generator: patches, patches, settings)
    assert history.losses[-1] < 0.5 * history.losses[0]


def test_predictions_follow_the_cloud(generator: Generator) -> None:
    model, points = tiny().eval(), clouds(generator, 2, 40)
    net, weights = predict(model, points)
    assert weights is None
    assert_close(predict(model, 3 * points + 1)[0], 3 * net + 1, rtol=0, atol=1e-3)


def test_errors_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = random_patches(3, Generator().manual_seed(1), size=4, points=20)
    model = tiny()
    torch.nn.init.constant_(model.last.bias, float("nan"))
    with pytest.raises(FloatingPointError, match=r"the loss is nan in step 1. Lower `learning_rate`"):
        train(model, lambda count, generator: patches, patches, replace(TINY, is_supervised=True))
    with pytest.raises(ValueError, match=r"`steps` must be at least 1; got 0"):
        TrainingSettings(steps=0)
    with pytest.raises(ValueError, match=r"`learning_rate` must be positive and finite; got 0"):
        TrainingSettings(steps=1, learning_rate=0.0)
    with pytest.raises(ValueError, match=r"`size` must be at least 4; got 3"):
        random_patches(1, Generator(), size=3)
    with pytest.raises(ValueError, match=r"`weight_range` must be finite and exceed 1; got 1"):
        SplineNet(4, weight_range=1.0)
    with pytest.raises(ValueError, match=r"`size` must be at least 1; got 0"):
        SplineNet(0)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r'pip install "nurbs-diff\[train\]"'):
        train(tiny(), lambda count, generator: patches, patches, TINY)


def written(path: Path, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def test_parsenets_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points, nets = np.random.default_rng(0).random((9, 20, 3)), np.zeros((9, 5, 5, 3), np.float32)
    nets[:, 0, 0, 0] = points[:, 0, 0]
    monkeypatch.setattr("nurbs_diff.splinenet._parsenet._ENDS", {"train": (0, 6), "test": (6, None)})
    path = written(tmp_path / "a.h5", points=points, controlpoints=nets)
    parts = [read_parsenet(path, split) for split in ("train", "test")]
    assert [len(part.clouds) for part in parts] == [6, 3]
    for part in parts:  # clouds and nets stay together
        assert_close(part.control_points[:, 0, 0, 0], part.clouds[:, 0, 0])
    firsts = torch.cat([part.clouds[:, 0, 0] for part in parts])
    assert_close(firsts.sort().values, torch.from_numpy(np.sort(points[:, 0, 0]).astype(np.float32)))


def test_parsenets_file_in_disorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"points": np.zeros((9, 20, 3)), "controlpoints": np.zeros((9, 5, 5, 3))}
    bad = {
        r"no data set `points` of floating point": good | {"points": np.zeros((9, 20, 3), np.int32)},
        r"no data set `controlpoints`": {"points": good["points"]},
        r"`points` must have shape \(count, m, 3\); it has \(9, 20\)": good | {"points": np.zeros((9, 20))},
        r"`controlpoints` must have shape": good | {"controlpoints": np.zeros((9, 5, 4, 3))},
        r"9 clouds but 8 control nets": good | {"controlpoints": np.zeros((8, 5, 5, 3))},
        r"`points` must be finite; row \d is not": good | {"points": np.full((9, 20, 3), np.inf)},
    }
    for k, (message, arrays) in enumerate(bad.items()):
        with pytest.raises(ValueError, match=message):
            read_parsenet(written(tmp_path / f"{k}.h5", **arrays), "train")
    path = written(tmp_path / "good.h5", **good)
    with pytest.raises(ValueError, match=r"holds 9 patches; none belongs to the split 'test'"):
        read_parsenet(path, "test")
    whole = path.read_bytes()
    for count in (0, 10, len(whole) // 2):
        path.write_bytes(whole[:count])
        with pytest.raises(ValueError, match=r"good.h5: not a whole HDF5 file"):
            read_parsenet(path, "train")
    with pytest.raises(ValueError, match=r"there is no such file"):
        read_parsenet(tmp_path / "missing.h5", "train")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "nurbs-diff\[train\]"'):
        read_parsenet(path, "train")


@pytest.mark.parametrize("name", splinenet.__all__)
def test_examples_are_there_and_run(name: str) -> None:
    import doctest
    import inspect

    documented = inspect.unwrap(getattr(splinenet, name))
    tests = doctest.DocTestFinder(recurse=False).find(
        documented, name, globs=vars(splinenet) | {"torch": torch}
    )
    if name != "read_parsenet":  # needs a file
        assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.failures == 0
    assert History((1,), (0.0,), (0.0,)).steps == (1,)
