"""The search behind closest points: samples and boxes choose spans, Newton's method runs inside each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nurbs_diff._derivatives.partials import Directions, divide, from_homogeneous, scattered_partials
from nurbs_diff._geometry.quadrature import boxes_between
from nurbs_diff._geometry.surfaces import distinct_breakpoints
from nurbs_diff._refinement.operations import bezier_net

ITERATIONS = 60
TOLERANCE = 1e-12  # of the tangential part of the residual, relative to the size of everything
ACTIVE = 1e-10  # the same, beyond which a parameter at its bound is held there
BLIND = (
    1e-8  # a parameter that moves the point by less than this part of the size, over the domain, says nothing
)
BLOCK = 2**21  # distances between queries and samples computed at once


class Elements(NamedTuple):
    """The boxes of the domain between knots.

    Attributes:
        bounds: lower and upper corner, (e, d, 2).
        spans: for each direction, (e,).
        corners: of a box in space that contains the element, (e, dim, 2).
        samples: parameters, (e, s, d).
        points: at the samples, (e, s, dim).
        size: of all control points together.
        blind: least length of a first derivative that counts, (d,).
        is_pole: whether the lower and the upper face in each direction are collapsed to a point, (e, d, 2).
    """

    bounds: Tensor
    spans: tuple[Tensor, ...]
    corners: Tensor
    samples: Tensor
    points: Tensor
    size: Tensor
    blind: Tensor
    is_pole: Tensor


class Residuals(NamedTuple):
    """What Newton's method needs to know about q places.

    Attributes:
        value: half the squared distance, (q,).
        gradient: its derivatives, (q, d).
        hessian: its second derivatives, (q, d, d).
        lengths: of the first derivatives of the point, not less than tiny, (q, d).
        scale: size of the numbers whose difference the residual is, (q, 1).
    """

    value: Tensor
    gradient: Tensor
    hessian: Tensor
    lengths: Tensor
    scale: Tensor


def elements_of(net: Tensor, directions: Directions, is_rational: bool) -> Elements:
    """Samples and boxes of all elements."""
    d = len(directions.knots)
    breakpoints = tuple(distinct_breakpoints(t, p) for t, p in zip(*directions, strict=True))
    bounds = boxes_between(breakpoints)
    middle = bounds.mean(-1)
    spans = tuple(
        torch.searchsorted(t, x.contiguous(), right=True) - 1
        for t, x in zip(directions.knots, middle.T, strict=True)
    )
    hulls, _ = from_homogeneous(bezier_net(net, directions, breakpoints), is_rational)
    hulls = hulls.reshape(len(bounds), -1, hulls.shape[-1])
    corners = torch.stack([hulls.amin(1), hulls.amax(1)], -1)
    extent = torch.linalg.vector_norm(corners[..., 1].amax(0) - corners[..., 0].amin(0))
    width = torch.stack([x[-1] - x[0] for x in breakpoints])
    origin = hulls.new_zeros(1, hulls.shape[-1])
    blind = BLIND * extent / width
    is_pole = torch.zeros_like(bounds, dtype=torch.bool)
    for axis in range(d if d > 1 else 0):
        for side in range(2):
            place = middle.clone()
            place[:, axis] = bounds[:, axis, side]
            lengths = residuals(net, directions, is_rational, origin, place, spans).lengths
            is_pole[:, axis, side] = (lengths <= blind)[:, 1 - axis]
    # At a pole no direction along the surface can be told from its parameters: samples stand off.
    steps = [torch.linspace(0, 1, p + 2, dtype=net.dtype, device=net.device) for p in directions.degrees]
    lattice = torch.cartesian_prod(*steps).reshape(-1, d)
    inset = 0.5 / (torch.tensor(directions.degrees, device=net.device) + 1)
    places = torch.where((lattice == 0) & is_pole[:, None, :, 0], inset, lattice)
    places = torch.where((lattice == 1) & is_pole[:, None, :, 1], 1 - inset, places)
    samples = bounds[:, None, :, 0] + places * (bounds[..., 1] - bounds[..., 0])[:, None]
    repeated = tuple(s.repeat_interleave(len(lattice)) for s in spans)
    columns = tuple(samples.reshape(-1, d).unbind(1))
    points = divide(scattered_partials(net, directions, columns, 0, repeated), is_rational)[(0,) * d]
    return Elements(
        bounds,
        spans,
        corners,
        samples,
        points.reshape(*samples.shape[:2], -1),
        hulls.abs().max(),
        blind,
        is_pole,
    )


def residuals(
    net: Tensor,
    directions: Directions,
    is_rational: bool,
    queries: Tensor,
    parameters: Tensor,
    spans: tuple[Tensor, ...],
) -> Residuals:
    """Half the squared distance at single places, with two derivatives."""
    d = len(spans)
    partials = divide(scattered_partials(net, directions, tuple(parameters.unbind(1)), 2, spans), is_rational)
    unit = [tuple(int(i == j) for i in range(d)) for j in range(d)]
    both = [[tuple(a + b for a, b in zip(unit[i], unit[j], strict=True)) for j in range(d)] for i in range(d)]
    point = partials[(0,) * d]
    residual = point - queries
    first = torch.stack([partials[index] for index in unit], 1)  # (q, d, dim)
    second = torch.stack([torch.stack([partials[index] for index in row], 1) for row in both], 1)
    gradient = (first @ residual.unsqueeze(-1)).squeeze(-1)
    hessian = first @ first.mT + (second @ residual[:, None, :, None]).squeeze(-1)
    lengths = torch.linalg.vector_norm(first, dim=-1)
    tiny = torch.finfo(lengths.dtype).tiny ** 0.25
    scale = torch.maximum(point.abs().amax(1), queries.abs().amax(1)).unsqueeze(1)
    value = residual.square().sum(1) / 2
    return Residuals(value, gradient, hessian, lengths.clamp(min=tiny), scale)


def search(
    net: Tensor, directions: Directions, is_rational: bool, elements: Elements, queries: Tensor
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """For each query the parameters found, the spans in which they lie and whether the search converged."""
    count = max(1, BLOCK // (elements.samples.shape[0] * elements.samples.shape[1]))
    found = [_search_block(net, directions, is_rational, elements, block) for block in queries.split(count)]
    parameters, element, is_converged = (torch.cat(parts) for parts in zip(*found, strict=True))
    return parameters, tuple(s[element] for s in elements.spans), is_converged


def _search_block(
    net: Tensor, directions: Directions, is_rational: bool, elements: Elements, queries: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    e, s = elements.samples.shape[:2]
    distances = torch.cdist(queries, elements.points.flatten(0, 1)).reshape(-1, e, s)
    nearest = distances.min(2)
    outside = torch.maximum(
        elements.corners[..., 0] - queries[:, None], queries[:, None] - elements.corners[..., 1]
    )
    least = torch.linalg.vector_norm(outside.clamp(min=0), dim=-1)  # (q, e)
    slack = 1e-9 * elements.size  # what rounding may have added to a distance
    query, element = torch.nonzero(least <= nearest.values.amin(1, keepdim=True) + slack, as_tuple=True)
    start = elements.samples[element, nearest.indices[query, element]]
    spans = tuple(x[element] for x in elements.spans)
    parameters, value, is_converged = _newton(
        net,
        directions,
        is_rational,
        queries[query],
        start,
        elements.bounds[element],
        elements.is_pole[element],
        spans,
    )
    # For each query the first of its best pairs; one held back by an end of its element only if no other is
    # as good, as beside a seam.
    ends = residuals(net, directions, is_rational, queries[query], parameters, spans)
    low, high = elements.bounds[element].unbind(-1)
    is_held = _held(ends, parameters, low, high).any(1)
    best = value.new_full((len(queries),), torch.inf).scatter_reduce(0, query, value, "amin")
    pairs = torch.arange(len(query), device=query.device) + is_held * len(query)
    pairs = torch.where(value <= best[query] * (1 + 1e-14), pairs, 2 * len(query))
    first = pairs.new_full((len(queries),), 2 * len(query)).scatter_reduce(0, query, pairs, "amin")
    first = first % len(query)
    return parameters[first], element[first], is_converged[first]


def _newton(
    net: Tensor,
    directions: Directions,
    is_rational: bool,
    queries: Tensor,
    start: Tensor,
    bounds: Tensor,
    is_pole: Tensor,
    spans: tuple[Tensor, ...],
) -> tuple[Tensor, Tensor, Tensor]:
    """Damped Newton's method inside boxes: parameters, values, and whether each met the tolerance.

    A step may end on a face of its box, but only nine tenths of the way to a pole: there it would be caught,
    since the other parameter cannot turn it into the right direction any more.
    """
    low, high = bounds[..., 0], bounds[..., 1]
    parameters, identity = start.clone(), torch.eye(start.shape[1], dtype=net.dtype, device=net.device)
    state = residuals(net, directions, is_rational, queries, parameters, spans)
    value, pull = state.value.clone(), _pull(state, parameters, low, high)
    is_converged = pull <= TOLERANCE * state.scale.squeeze(1)
    damping = torch.zeros_like(value)
    todo = torch.nonzero(~is_converged).squeeze(1)
    state = Residuals(*(x[todo] for x in state))
    for _ in range(ITERATIONS):
        if not len(todo):
            break
        x, a, b = parameters[todo], low[todo], high[todo]
        is_held = _held(state, x, a, b)
        scaled = state.hessian / (state.lengths[:, :, None] * state.lengths[:, None])
        scaled = torch.where(is_held[:, :, None] | is_held[:, None], identity, scaled)
        values, vectors = torch.linalg.eigh(scaled)
        downhill = torch.where(is_held, 0.0, state.gradient / state.lengths).unsqueeze(-1)
        curvature = values.abs().clamp(min=1e-12) + damping[todo, None]  # |H|: saddles push away
        step = -(vectors @ ((vectors.mT @ downhill) / curvature.unsqueeze(-1))).squeeze(-1) / state.lengths
        rest = torch.where(is_pole[todo], 0.1, 0.0)
        trial = torch.minimum(x + step, b - rest[..., 1] * (b - x))
        trial = torch.maximum(trial, a + rest[..., 0] * (x - a))
        here = tuple(s[todo] for s in spans)
        new = residuals(net, directions, is_rational, queries[todo], trial, here)
        new_pull = _pull(new, trial, a, b)
        # In the last digits the distance no longer tells; there the pull must fall.
        is_level = new.value <= value[todo] * (1 + 1e-14)
        is_better = (new.value < value[todo] * (1 - 1e-14)) | is_level & (new_pull < pull[todo])
        accepted = todo[is_better]
        parameters[accepted], value[accepted], pull[accepted] = (
            trial[is_better],
            new.value[is_better],
            new_pull[is_better],
        )
        damping[todo] = torch.where(is_better, damping[todo] / 8, (4 * damping[todo]).clamp(min=1e-2))
        state = Residuals(
            *(
                torch.where(is_better.reshape(-1, *[1] * (n.ndim - 1)), n, o)
                for n, o in zip(new, state, strict=True)
            )
        )
        done = pull[todo] <= TOLERANCE * state.scale.squeeze(1)
        is_converged[todo[done]] = True
        is_stuck = damping[todo] > 1e12
        keep = ~(done | is_stuck)
        todo, state = todo[keep], Residuals(*(n[keep] for n in state))
    return parameters, value, is_converged


def _pull(state: Residuals, parameters: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The part of the residual along the free first derivatives: zero at an optimum."""
    is_held = _held(state, parameters, low, high)
    return torch.where(is_held, 0.0, (state.gradient / state.lengths).abs()).amax(1)


def _held(state: Residuals, parameters: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Whether an end of the box keeps each parameter from going further downhill."""
    return (parameters <= low) & (state.gradient > 0) | (parameters >= high) & (state.gradient < 0)
