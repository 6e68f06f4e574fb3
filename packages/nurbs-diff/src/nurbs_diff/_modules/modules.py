"""Curves, surfaces and volumes as torch modules whose parts are learned or fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from torch import Tensor, nn

from nurbs_diff import _checks
from nurbs_diff._evaluation.basis import KnotGradient, check_knot_gradient
from nurbs_diff._evaluation.grids import evaluate_curve, evaluate_surface, evaluate_volume
from nurbs_diff._modules.parametrisations import BoundedWeights, ClampedKnots, Fixed
from nurbs_diff._splines import Curve, Surface, Volume

if TYPE_CHECKING:
    from typing import Unpack

    from jaxtyping import Float


class ModuleOptions(TypedDict, total=False):
    """Keyword arguments of all three modules, with their defaults in `NurbsModule`."""

    learn_control_points: bool
    learn_weights: bool
    learn_knots: bool
    minimum_gap: float
    weight_range: float
    knot_gradient: KnotGradient
    bandwidth: float


class _EvaluationOptions(TypedDict):
    weights: Tensor | None
    knot_gradient: KnotGradient
    bandwidth: float


class NurbsModule(nn.Module):
    r"""What `NurbsCurve`, `NurbsSurface` and `NurbsVolume` share.

    Whatever an optimiser does, the spline stays valid. Learned interior knots come from a softmax and a
    cumulative sum, so they stay ordered, at least `minimum_gap` apart and inside clamped ends. Learned
    weights have geometric mean 1 and differ by at most `weight_range`. `state_dict()` and `.to()` carry
    everything; keep knots in float64 where spans are tiny, the points come in the dtype of the control points
    anyway.

    Args:
        control_points: initial P, any batch in front.
        knots: by name the initial knots of each direction, shared or of each sample.
        weights: initial w > 0; None for a polynomial spline, or for ones if weights are learned.
        learn_control_points: whether P is a parameter.
        learn_weights: whether w is a parameter.
        learn_knots: whether the interior knots of all directions are.
        minimum_gap: least distance of learned knots, as a fraction of the domain.
        weight_range: no two learned weights differ by more than this factor.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.

    Raises:
        ValueError: counts that imply no degree, bad knots, knots to be learned that coincide or are not
            clamped, weights that are not positive.
    """

    def __init__(
        self,
        control_points: Tensor,
        knots: dict[str, Tensor],
        weights: Tensor | None,
        *,
        learn_control_points: bool = True,
        learn_weights: bool = False,
        learn_knots: bool = False,
        minimum_gap: float = 5e-4,
        weight_range: float = 100.0,
        knot_gradient: KnotGradient = "exact",
        bandwidth: float = 0.01,
    ) -> None:
        super().__init__()
        _checks.check_floating(control_points=control_points, **knots, weights=weights)
        names = [name.replace("knots", "n") for name in knots]
        _checks.check_control_points(control_points, ", ".join([*names, "dim"]))
        check_knot_gradient(knot_gradient, bandwidth)
        if weights is None and learn_weights:
            weights = control_points.new_ones(control_points.shape[:-1])
        _checks.check_weights(weights, control_points)

        self.control_points = nn.Parameter(
            control_points.detach().clone(), requires_grad=learn_control_points
        )
        self._weights: nn.Module | None = None
        if weights is not None:
            self._weights = BoundedWeights(weights, weight_range) if learn_weights else Fixed(weights)
        self._names = tuple(knots)
        self.degrees: tuple[int, ...] = ()
        batch, counts = control_points.shape[: -len(knots) - 1], control_points.shape[-len(knots) - 1 : -1]
        for (name, t), n in zip(knots.items(), counts, strict=True):
            _checks.check_batch(name, t, batch)
            degree = _checks.degree_of_each(name, t, n)
            _checks.check_knots(name, t, degree)
            self.degrees += (degree,)
            self.add_module(
                f"_{name}", ClampedKnots(name, t, degree, minimum_gap) if learn_knots else Fixed(t)
            )
        self.knot_gradient: KnotGradient = knot_gradient
        self.bandwidth = bandwidth

    @property
    def weights(self) -> Tensor | None:
        """The weights as they are now, differentiable; None for a polynomial spline."""
        return None if self._weights is None else self._weights()

    def extra_repr(self) -> str:
        """Sizes and degrees."""
        *batch, dim = self.control_points.shape
        counts = [batch.pop() for _ in self._names][::-1]
        degrees = ", ".join(map(str, self.degrees))
        lead = f", batch {tuple(batch)}" if batch else ""
        return f"{' x '.join(map(str, counts))} control points in {dim}-D{lead}, degree {degrees}"

    def _knots_of(self, name: str) -> Tensor:
        return self.get_submodule(f"_{name}")()

    def _options(self) -> _EvaluationOptions:
        return {"weights": self.weights, "knot_gradient": self.knot_gradient, "bandwidth": self.bandwidth}

    def _detached(self) -> tuple[list[Tensor], Tensor | None]:
        weights = self.weights
        tensors = [self.control_points, *map(self._knots_of, self._names)]
        return [x.detach().clone() for x in tensors], None if weights is None else weights.detach().clone()


class NurbsCurve(NurbsModule):
    r"""A NURBS curve whose control points, weights and knots are each learned or fixed.

    Args:
        control_points: initial P, any batch in front.
        knots: initial t, shared or of each sample.
        weights: initial w > 0; None for a polynomial curve, or for ones if weights are learned.
        options: `learn_control_points`, `learn_weights`, `learn_knots`, `minimum_gap`, `weight_range`,
            `knot_gradient`, `bandwidth`: see `NurbsSurface`.

    Raises:
        ValueError: as `NurbsSurface`.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> curve = NurbsCurve(torch.rand(6, 2), uniform_knots(6, degree=3), learn_knots=True)
    >>> curve(torch.linspace(0, 1, 10)).shape
    torch.Size([10, 2])
    """

    def __init__(
        self,
        control_points: Float[Tensor, "*batch n dim"],
        knots: Float[Tensor, "*#batch k"],
        weights: Float[Tensor, "*batch n"] | None = None,
        **options: Unpack[ModuleOptions],
    ) -> None:
        super().__init__(control_points, {"knots": knots}, weights, **options)

    @property
    def knots(self) -> Tensor:
        """The knots as they are now, differentiable."""
        return self._knots_of("knots")

    def forward(self, u: Float[Tensor, "*#batch q"]) -> Float[Tensor, "*any q dim"]:
        """Points at the parameters `u`; see `evaluate_curve`."""
        return evaluate_curve(self.control_points, self.knots, u, **self._options())

    def detached(self) -> Curve:
        """The curve as it is now, as plain tensors that share nothing with the module."""
        tensors, weights = self._detached()
        return Curve(*tensors, weights=weights)


class NurbsSurface(NurbsModule):
    r"""A NURBS surface whose control points, weights and knots are each learned or fixed.

    Whatever an optimiser does, the surface stays valid. Learned interior knots come from a softmax and a
    cumulative sum, so they stay ordered, at least `minimum_gap` apart and inside clamped ends. Learned
    weights have geometric mean 1 and differ by at most `weight_range`. `state_dict()` and `.to()` carry
    everything; keep knots in float64 where spans are tiny, the points come in the dtype of the control points
    anyway.

    Args:
        control_points: initial P, any batch in front.
        knots_u: initial knots of the first direction, shared or of each sample.
        knots_v: initial knots of the second direction, likewise.
        weights: initial w > 0; None for a polynomial surface, or for ones if weights are learned.
        options: keyword arguments.

            - `learn_control_points` (True), `learn_weights` (False), `learn_knots` (False): what is a
              parameter; of the knots those inside.
            - `minimum_gap` (5e-4): least distance of learned knots, as a fraction of the domain.
            - `weight_range` (100): no two learned weights differ by more than this factor.
            - `knot_gradient`, `bandwidth`: see `basis_functions`.

    Raises:
        ValueError: counts that imply no degree, bad knots, knots to be learned that coincide or are not
            clamped, weights that are not positive.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(8, degree=3)
    >>> surface = NurbsSurface(torch.rand(8, 8, 3), knots, knots, learn_weights=True, learn_knots=True)
    >>> u = torch.linspace(0, 1, 64)
    >>> loss = (surface(u, u) - torch.rand(64, 64, 3)).square().mean()
    >>> loss.backward()
    >>> surface(*torch.rand(2, 100), grid=False).shape
    torch.Size([100, 3])
    """

    def __init__(
        self,
        control_points: Float[Tensor, "*batch n_u n_v dim"],
        knots_u: Float[Tensor, "*#batch k_u"],
        knots_v: Float[Tensor, "*#batch k_v"],
        weights: Float[Tensor, "*batch n_u n_v"] | None = None,
        **options: Unpack[ModuleOptions],
    ) -> None:
        super().__init__(control_points, {"knots_u": knots_u, "knots_v": knots_v}, weights, **options)

    @property
    def knots_u(self) -> Tensor:
        """The knots of the first direction as they are now, differentiable."""
        return self._knots_of("knots_u")

    @property
    def knots_v(self) -> Tensor:
        """The knots of the second direction as they are now, differentiable."""
        return self._knots_of("knots_v")

    def forward(
        self, u: Float[Tensor, "*#batch r"], v: Float[Tensor, "*#batch s"], *, grid: bool = True
    ) -> Float[Tensor, "*any dim"]:
        """Points on the grid u x v or, with `grid=False`, at pairs; see `evaluate_surface`."""
        knots = self.knots_u, self.knots_v
        return evaluate_surface(self.control_points, *knots, u, v, grid=grid, **self._options())

    def detached(self) -> Surface:
        """The surface as it is now, as plain tensors that share nothing with the module."""
        tensors, weights = self._detached()
        return Surface(*tensors, weights=weights)


class NurbsVolume(NurbsModule):
    r"""A NURBS volume whose control points, weights and knots are each learned or fixed.

    Args:
        control_points: initial P, any batch in front.
        knots_u: initial knots of the first direction, shared or of each sample.
        knots_v: initial knots of the second direction, likewise.
        knots_w: initial knots of the third direction, likewise.
        weights: positive; None for a polynomial volume, or for ones if weights are learned.
        options: `learn_control_points`, `learn_weights`, `learn_knots`, `minimum_gap`, `weight_range`,
            `knot_gradient`, `bandwidth`: see `NurbsSurface`.

    Raises:
        ValueError: as `NurbsSurface`.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots, u = uniform_knots(4, degree=2), torch.linspace(0, 1, 10)
    >>> volume = NurbsVolume(torch.rand(4, 4, 4, 1), knots, knots, knots)
    >>> volume
    NurbsVolume(
      4 x 4 x 4 control points in 1-D, degree 2, 2, 2
      (_knots_u): Fixed((7,))
      (_knots_v): Fixed((7,))
      (_knots_w): Fixed((7,))
    )
    >>> volume(u, u, u).shape
    torch.Size([10, 10, 10, 1])
    """

    def __init__(
        self,
        control_points: Float[Tensor, "*batch n_u n_v n_w dim"],
        knots_u: Float[Tensor, "*#batch k_u"],
        knots_v: Float[Tensor, "*#batch k_v"],
        knots_w: Float[Tensor, "*#batch k_w"],
        weights: Float[Tensor, "*batch n_u n_v n_w"] | None = None,
        **options: Unpack[ModuleOptions],
    ) -> None:
        knots = {"knots_u": knots_u, "knots_v": knots_v, "knots_w": knots_w}
        super().__init__(control_points, knots, weights, **options)

    @property
    def knots_u(self) -> Tensor:
        """The knots of the first direction as they are now, differentiable."""
        return self._knots_of("knots_u")

    @property
    def knots_v(self) -> Tensor:
        """The knots of the second direction as they are now, differentiable."""
        return self._knots_of("knots_v")

    @property
    def knots_w(self) -> Tensor:
        """The knots of the third direction as they are now, differentiable."""
        return self._knots_of("knots_w")

    def forward(
        self,
        u: Float[Tensor, "*#batch r"],
        v: Float[Tensor, "*#batch s"],
        w: Float[Tensor, "*#batch t"],
        *,
        grid: bool = True,
    ) -> Float[Tensor, "*any dim"]:
        """Points on the grid u x v x w or, with `grid=False`, at triples; see `evaluate_volume`."""
        knots = self.knots_u, self.knots_v, self.knots_w
        return evaluate_volume(self.control_points, *knots, u, v, w, grid=grid, **self._options())

    def detached(self) -> Volume:
        """The volume as it is now, as plain tensors that share nothing with the module."""
        tensors, weights = self._detached()
        return Volume(*tensors, weights=weights)
