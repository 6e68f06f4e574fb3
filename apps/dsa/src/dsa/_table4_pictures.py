"""The pictures of `dsa.table4`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from repro import scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from torch import Tensor

    from dsa.table4 import Model, Scores
    from nurbs_diff.splinenet import History
    from repro.context import Context


def draw(
    context: Context,
    *,
    clouds: Tensor,
    scores: Mapping[str, Scores],
    models: Sequence[Model],
    histories: Mapping[str, History],
) -> None:
    """Draws an easy and a hard patch with each model's surface, all scores, and the learning curves."""
    order = np.argsort(scores["dsa4"].squared)
    cases = {"a good case": int(order[len(order) // 10]), "a bad case": int(order[-1])}
    context.picture(
        "surfaces",
        "Two held-out clouds (dots) with the predicted surfaces and their control nets (lines). Above a good "
        "case, the patch at the tenth percentile of the 4 x 4 model's squared Chamfer distance; below its "
        "worst. The number is that distance times 100.",
        lambda figure: _surfaces(figure, cases, clouds, scores, models),
        size=(12.0, 6.4),
    )
    for place, (title, k) in enumerate(cases.items()):
        context.scene(
            f"case_{place}", f"{title}, 4 x 4", _bodies(k, clouds, scores["dsa4"]), picture="surfaces", up="x"
        )
    context.picture(
        "scores",
        "The two-sided Chamfer distances of all held-out patches, in order, for each model and for the true "
        "surfaces: squared on the left, plain on the right. Mind that the scale is logarithmic.",
        lambda figure: _scores(figure, scores, models),
        size=(9.0, 3.9),
    )
    context.picture(
        "learning",
        "The loss of each model on validation patches over the steps. That of the supervised model is the "
        "mean squared distance of control points, that of the others the squared Chamfer distance plus the "
        "Laplacian energy: their heights do not compare.",
        lambda figure: _learning(figure, histories),
        size=(7.0, 4.0),
    )


def _surfaces(
    figure: Figure,
    cases: Mapping[str, int],
    clouds: Tensor,
    scores: Mapping[str, Scores],
    models: Sequence[Model],
) -> None:
    from dsa.table4 import points_of

    for row, (title, k) in enumerate(cases.items()):
        cloud = clouds[k].cpu().numpy()
        for column, model in enumerate(models):
            score = scores[model.key]
            net = score.control_points[k]
            surface = points_of(net.unsqueeze(0), 30)[0].cpu().numpy()
            axes: Any = figure.add_subplot(
                len(cases),
                len(models),
                row * len(models) + column + 1,
                projection="3d",
                computed_zorder=False,
            )
            # the clouds' first axis is their shortest: it goes up
            x, y, z = (surface[..., d] for d in (1, 2, 0))
            axes.plot_surface(x, y, z, color="C0", alpha=0.45, linewidth=0, zorder=1)
            for line in (*net.cpu().numpy(), *np.swapaxes(net.cpu().numpy(), 0, 1)):
                axes.plot(line[:, 1], line[:, 2], line[:, 0], color="0.5", linewidth=0.5, zorder=2)
            axes.scatter(cloud[:, 1], cloud[:, 2], cloud[:, 0], s=2, color="C1", depthshade=False, zorder=3)
            axes.set(xlim=(-0.6, 0.6), ylim=(-0.6, 0.6), zlim=(-0.4, 0.4), xticks=[], yticks=[], zticks=[])
            axes.set_box_aspect((3, 3, 2), zoom=1.15)
            head = f"{model.label}\n" if row == 0 else ""
            axes.set_title(f"{head}{title}: {score.squared[k]:.3g}", fontsize="small")


def _bodies(k: int, clouds: Tensor, score: Scores) -> list[scene.Part]:
    from dsa.table4 import points_of

    net = score.control_points[k]
    return [
        scene.grid("predicted surface", points_of(net.unsqueeze(0), 60)[0].cpu().numpy()),
        scene.points("cloud", clouds[k].cpu().numpy()),
        scene.net("control points", net.cpu().numpy()),
    ]


def _scores(figure: Figure, scores: Mapping[str, Scores], models: Sequence[Model]) -> None:
    panels = figure.subplots(1, 2)
    labels = {model.key: model.label for model in models} | {"floor": "true surfaces"}
    for axes, metric in zip(panels, ("squared", "unsquared"), strict=True):
        for k, (key, label) in enumerate(labels.items()):
            values = np.sort(getattr(scores[key], metric))
            style = "--" if key == "floor" else "-"
            axes.semilogy(np.linspace(0, 100, values.size), values, style, color=f"C{k}", label=label)
        axes.set(xlabel="share of the patches, %", title=metric)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("Chamfer distance x 100")
    panels[0].legend(fontsize="x-small")


def _learning(figure: Figure, histories: Mapping[str, History]) -> None:
    axes = figure.add_subplot()
    for k, (label, history) in enumerate(histories.items()):
        axes.semilogy(history.steps, history.validation, "o-", markersize=3, color=f"C{k}", label=label)
    axes.set(xlabel="step", ylabel="loss on validation patches")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.25)
