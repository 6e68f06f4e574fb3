"""The PyTorch function: derivatives of every kind, and agreement with `fit`."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `torch`)")

from kspline_core import fit  # noqa: E402 (after the skip)
from kspline_core.torch import KSplineLayer, kspline  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")


@pytest.fixture
def weights(weighted):
    return torch.linspace(0.5, 2, 12, dtype=torch.float64) if weighted else None


@pytest.fixture
def y():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(3, 12, dtype=torch.float64, generator=generator, requires_grad=True)


@pytest.mark.parametrize(("degree", "weighted"), [(0, True), (1, False), (2, True), (3, False)])
class TestDerivatives:
    def test_gradcheck(self, y, degree, weights):
        def function(y):
            return kspline(y, 3, degree, weights=weights)

        assert torch.autograd.gradcheck(function, y, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(lambda y: function(y) ** 2, y)

    def test_torch_func(self, y, degree, weights):
        def function(y):
            return kspline(y, 3, degree, weights=weights)

        signal = y.detach()
        spline = fit(signal.numpy(), 3, degree, weights=None if weights is None else weights.numpy())
        want = np.stack([spline[i].jvp(np.eye(12)).T for i in range(3)])
        for transform in (torch.func.jacrev, torch.func.jacfwd):
            ours = torch.func.vmap(transform(function))(signal)
            np.testing.assert_allclose(ours.numpy(), want, rtol=0, atol=1e-14)
        hessian = torch.func.hessian(lambda y: (function(y) ** 2).sum() / 2)(signal[0])
        np.testing.assert_allclose(hessian.numpy(), want[0].T @ want[0], rtol=0, atol=1e-13)

    def test_values_are_those_of_fit(self, y, degree, weights):
        want = fit(
            y.detach().numpy(), 3, degree, weights=None if weights is None else weights.numpy(), min_size=3
        )
        ours = kspline(y, 3, degree, weights=weights, min_size=3)
        np.testing.assert_array_equal(ours.detach().numpy(), want.values)


def test_vmap_over_every_argument(y):
    signal = y.detach()
    w = torch.rand(5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    over_weights = torch.func.vmap(lambda w: kspline(signal, 3, 1, weights=w))(w)
    over_both = torch.func.vmap(lambda y, w: kspline(y, 3, 1, weights=w), in_dims=(1, 0))(signal.T, w[:3])
    for i in range(5):
        torch.testing.assert_close(over_weights[i], kspline(signal, 3, 1, weights=w[i]), rtol=0, atol=0)
    for i in range(3):
        torch.testing.assert_close(over_both[i], kspline(signal[i], 3, 1, weights=w[i]), rtol=0, atol=0)


def test_vmap_of_vmap_over_vectors_and_signals(y):
    """Vectors stacked within, signals without: the product has to tell the two dimensions apart."""
    vectors = torch.randn(4, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def products(signal):
        _, pullback = torch.func.vjp(lambda y: kspline(y, 3, 1), signal)
        return torch.func.vmap(lambda v: pullback(v)[0])(vectors)

    ours = torch.func.vmap(products)(y.detach())
    for i in range(3):
        want = fit(y[i].detach().numpy(), 3, 1).vjp(vectors.numpy())
        np.testing.assert_allclose(ours[i].numpy(), want, rtol=0, atol=1e-14)


def test_float32(y):
    signal = y.detach().float().requires_grad_()
    out = kspline(signal, 3, 1)
    out.sum().backward()
    assert out.dtype == signal.grad.dtype == torch.float32
    torch.testing.assert_close(out.double(), kspline(signal.double(), 3, 1), rtol=0, atol=1e-6)


def test_any_strides(y):
    signal = y.detach().T.contiguous().T
    assert not signal.is_contiguous()
    torch.testing.assert_close(kspline(signal, 4, 2), kspline(signal.contiguous(), 4, 2), rtol=0, atol=0)


def test_layer_trains_through(y):
    """The layer projects: the gradient of |h - t|^2 moves the pieces, and nothing inside them."""
    layer = KSplineLayer(pieces=3, degree=1, min_size=2)
    torch.testing.assert_close(layer(y), kspline(y, 3, 1, min_size=2), rtol=0, atol=0)
    assert not list(layer.parameters())
    assert repr(layer) == "KSplineLayer(pieces=3, degree=1, min_size=2)"
    target = torch.zeros_like(y)
    (gradient,) = torch.autograd.grad(((layer(y) - target) ** 2).sum() / 2, y)
    torch.testing.assert_close(gradient, layer(y), rtol=0, atol=1e-13)  # J^T h = h


class TestErrors:
    def test_dtype(self):
        with pytest.raises(TypeError, match=r"`y` must be float32 or float64; got torch\.int64\. Convert it"):
            kspline(torch.arange(5), 2)

    def test_gradient_of_weights(self):
        with pytest.raises(ValueError, match=r"`weights` requires a gradient, .* Pass weights.detach\(\)"):
            kspline(torch.zeros(5), 2, weights=torch.ones(5, requires_grad=True))

    def test_those_of_fit(self):
        with pytest.raises(ValueError, match=r"`y` must be finite; y\[2\] = nan"):
            kspline(torch.tensor([0.0, 1.0, torch.nan]), 2)
        with pytest.raises(ValueError, match="`pieces` is too large"):
            kspline(torch.zeros(5), 6)
        with pytest.raises(ValueError, match="`weights` must have the shape"):
            kspline(torch.zeros(2, 5), 2, weights=torch.ones(1, 5))
