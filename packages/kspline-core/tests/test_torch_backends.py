"""The searches in torch operations and in Triton against the C++ core, and the projection beside them."""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `torch`)")

from kspline_core import _check, fit  # noqa: E402 (after the skip)
from kspline_core.torch import KSplineLayer, kspline  # noqa: E402
from kspline_core.torch._autograd import Fit  # noqa: E402

EPS = np.finfo(float).eps
gpu = pytest.mark.gpu
no_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def check(y, pieces, degree, min_size=1, weights=None, backend="torch", device="cpu"):
    """Same breakpoints as the core, values up to the rounding of the projection."""
    want = fit(y, pieces, degree, weights=weights, min_size=min_size)
    rule = _check.settings(y.shape, pieces, degree, min_size, "auto", None)
    signals = torch.from_numpy(y).to(device)
    w = None if weights is None else torch.from_numpy(weights).to(device)
    values, breakpoints = Fit.apply(signals, w, rule, backend)
    assert values.device == breakpoints.device == signals.device
    np.testing.assert_array_equal(breakpoints.cpu().numpy(), want.breakpoints)
    # two orthonormal bases of at most four polynomials, sums of at most n terms
    read = y if weights is None else np.where(weights > 0, y, 0)
    atol = 8 * y.shape[-1] * EPS * np.abs(read).max()
    np.testing.assert_allclose(values.cpu().numpy(), want.values, rtol=0, atol=atol)


@pytest.mark.parametrize("degree", range(4))
def test_signals_of_every_kind(rng, degree):
    steps = np.repeat(rng.standard_normal(6) * 5, 20) + rng.standard_normal(120)
    y = np.stack(
        [rng.standard_normal(120), steps, rng.standard_normal(120).cumsum(), rng.integers(0, 3, 120)]
    )
    check(y, 6, degree)
    check(y + 1e9, 6, degree, min_size=5)
    check(y * 1e-300, 4, degree)
    check(y * 1e300, 4, degree)
    check(np.zeros((2, 9)), 4, degree, min_size=2)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 16), st.integers(0, 3), st.booleans(), st.booleans())
def test_ties_weights_and_missing_samples(data, n, degree, whole, weighted):
    """Among ties the leftmost breakpoints win, as in the core: whole numbers make many."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    y = rng.integers(-1, 2, (2, n)).astype(float) if whole else rng.standard_normal((2, n))
    weights, least = None, n
    if weighted:
        weights = rng.integers(0, 3, (2, n)).astype(float) if whole else rng.uniform(0.1, 3, (2, n))
        weights[:, data.draw(st.integers(0, n - 1))] = 1
        y[weights == 0] = np.nan
        least = int((weights > 0).sum(axis=1).min())
    min_size = data.draw(st.integers(1, least))
    check(y, data.draw(st.integers(1, least // min_size)), degree, min_size, weights)


def test_batches_are_cut_into_parts(rng, monkeypatch):
    from kspline_core.torch import _dense

    monkeypatch.setattr(_dense, "_CELLS", 300)  # two signals at once
    check(rng.standard_normal((5, 30)), 4, 1)
    check(rng.standard_normal((5, 30)), 4, 1, weights=rng.uniform(0.1, 1, (5, 30)))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
@pytest.mark.parametrize(("degree", "weighted"), [(0, True), (1, False), (2, True), (3, False)])
def test_derivatives(rng, degree, weighted):
    signal = rng.standard_normal((2, 3, 12))
    y = torch.from_numpy(signal).requires_grad_()
    weights = torch.linspace(0.5, 2, 12, dtype=torch.float64) if weighted else None

    def function(y):
        return kspline(y, 3, degree, weights=weights, backend="torch")

    assert torch.autograd.gradcheck(function, y[0, :1], check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda y: function(y) ** 2, y[0, :1])
    want = fit(signal, 3, degree, weights=None if weights is None else weights.numpy())
    vectors = rng.standard_normal((4, 2, 3, 12))
    values, pullback = torch.func.vjp(function, y.detach())
    np.testing.assert_allclose(values.numpy(), want.values, rtol=0, atol=1e-13)
    pulled = torch.func.vmap(lambda v: pullback(v)[0])(torch.from_numpy(vectors))
    np.testing.assert_allclose(pulled.numpy(), want.vjp(vectors), rtol=0, atol=1e-13)
    jacobians = torch.func.vmap(torch.func.jacrev(function))(y.detach()[0])
    np.testing.assert_allclose(
        jacobians.numpy(), [want[0, i].vjp(np.eye(12)) for i in range(3)], rtol=0, atol=1e-13
    )


def test_float32_layer_and_shapes(rng):
    y = torch.from_numpy(rng.standard_normal((2, 2, 20)).astype(np.float32)).requires_grad_()
    layer = KSplineLayer(3, 1, min_size=2, backend="torch")
    values = layer(y)
    values.sum().backward()
    assert values.dtype == y.grad.dtype == torch.float32
    torch.testing.assert_close(values, kspline(y, 3, 1, min_size=2), rtol=0, atol=4e-7)
    assert kspline(torch.zeros(0, 5), 2, backend="torch").shape == (0, 5)


TRITON = """
    import numpy as np, torch
    from kspline_core import _check, fit
    from kspline_core.torch._autograd import Fit

    rng = np.random.default_rng(0)
    y = np.stack([rng.standard_normal(14), rng.integers(0, 3, 14).astype(float)]) + 1e6
    for degree, pieces, min_size in ((0, 4, 2), (1, 2, 1), (2, 4, 1), (3, 3, 2)):
        rule = _check.settings(y.shape, pieces, degree, min_size, "auto", None)
        values, breakpoints = Fit.apply(torch.from_numpy(y), None, rule, "triton")
        want = fit(y, pieces, degree, min_size=min_size)
        np.testing.assert_array_equal(breakpoints.numpy(), want.breakpoints)
        np.testing.assert_allclose(values.numpy(), want.values, rtol=0, atol=1e-8)
    print("agreed")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_kernel_in_tritons_interpreter():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TRITON)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "agreed", done.stderr


@gpu
@no_cuda
@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("backend", ["triton", "torch"])
@pytest.mark.parametrize(("n", "pieces", "min_size"), [(1, 1, 1), (100, 7, 3), (1000, 10, 1), (4096, 3, 1)])
def test_cuda(rng, degree, backend, n, pieces, min_size):
    y = np.stack([rng.standard_normal(n), rng.standard_normal(n).cumsum(), rng.integers(0, 2, n)])
    check(y, pieces, degree, min_size, backend=backend, device="cuda")


@gpu
@no_cuda
def test_cuda_weights_and_gradients(rng):
    signal = rng.standard_normal((4, 200))
    weights = rng.integers(0, 3, 200).astype(float)
    check(signal, 6, 2, weights=np.broadcast_to(weights, signal.shape).copy(), device="cuda")
    y = torch.from_numpy(signal).cuda().requires_grad_()
    for w in (None, torch.from_numpy(weights).cuda()):
        kspline(y, 6, 1, weights=w).square().sum().backward()
        want = kspline(y.detach().cpu(), 6, 1, weights=None if w is None else w.cpu())
        assert y.grad.is_cuda
        if w is None:
            torch.testing.assert_close(y.grad.cpu(), 2 * want, rtol=0, atol=1e-11)  # J^T h = h


class TestErrors:
    def test_devices(self):
        y = torch.zeros(5, device="meta")
        with pytest.raises(ValueError, match=r"`y` is on meta, and `kspline` has kernels for .*y\.cpu\(\)"):
            kspline(y, 2)
        with pytest.raises(ValueError, match=r"`y` is on meta, and backend='core' computes on the CPU"):
            kspline(y, 2, backend="core")
        with pytest.raises(ValueError, match=r"`weights` is on meta, and `y` on cpu\. Move it: weights\.to"):
            kspline(torch.zeros(5), 2, weights=torch.zeros(5, device="meta"))

    def test_length(self):
        message = "backend='torch' takes at most 4096 samples; `y` has 4097. Fit it on the CPU"
        with pytest.raises(ValueError, match=message):
            kspline(torch.zeros(4097), 2, backend="torch")

    @pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
    def test_triton_on_the_cpu(self):
        with pytest.raises(ValueError, match=r"`y` is on cpu, and backend='triton' needs CUDA. Pass"):
            kspline(torch.zeros(5), 2, backend="triton")

    def test_triton_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "kspline_core.torch._triton", None)
        monkeypatch.delattr("kspline_core.torch._triton", raising=False)
        with pytest.raises(ImportError, match=r'needs Triton, .* pip install triton\. .* backend="torch"'):
            kspline(torch.zeros(5), 2, backend="triton")

    def test_triton_has_no_weights(self):
        with pytest.raises(ValueError, match=r"`weights` are not for backend='triton'. Pass backend='torch'"):
            kspline(torch.zeros(5), 2, weights=torch.ones(5), backend="triton")

    def test_those_of_values(self):
        with pytest.raises(ValueError, match=r"`y` must be finite; y\[2\] = nan. Repair it, or give"):
            kspline(torch.tensor([0.0, 1.0, torch.nan]), 2, backend="torch")
        with pytest.raises(ValueError, match=r"`weights` must not be negative; weights\[0\] = -1"):
            kspline(torch.zeros(3), 2, weights=torch.tensor([-1.0, 1.0, 1.0]), backend="torch")
        with pytest.raises(ValueError, match=r"2 pieces of at least 1 sample need 2 samples .* there are 1"):
            kspline(torch.zeros(3), 2, weights=torch.tensor([0.0, 0.0, 1.0]), backend="torch")
        with pytest.raises(ValueError, match=r"sums leave the range of float64: .* Divide it by its largest"):
            kspline(torch.tensor([1.7e308, -1.7e308], dtype=torch.float64), 1, backend="torch")

    def test_unknown(self):
        message = r"`backend` must be one of 'auto', 'core', 'triton', 'torch'; got 'cuda'\."
        with pytest.raises(ValueError, match=message):
            inspect.unwrap(kspline)(torch.zeros(5), 2, backend="cuda")
