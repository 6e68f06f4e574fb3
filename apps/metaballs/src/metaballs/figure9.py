"""Figure 9: a shape from the imperfect masks of a video, CO3D's where the user has one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import Camera, StoppingRule, look_at, render, shape_from_silhouette
from fuzzy_metaballs.files import read_co3d
from metaballs._device import on_device
from metaballs._reconstruct import BLEND
from metaballs._score import masks_of, overlap
from metaballs.models import load
from metaballs.noise import under_segment
from metaballs.paper import PAPER
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure as Canvas

    from fuzzy_metaballs.files import View
    from repro.context import Context


@dataclass(frozen=True)
class Settings:
    """Settings of `metaballs.figure9`."""

    frames: int = 40
    """of the video, evenly spread over it"""
    pixels: int = 64
    """along each side of the masks that are fitted"""
    components: int = 40
    """Gaussians"""
    epochs: int = 30
    """passes over all rays at most"""
    window: int = 200
    """steps the stopping rule looks back"""


class Video(NamedTuple):
    """Masks along a path.

    Attributes:
        camera: of all frames.
        poses: (V, 4, 4), camera to world.
        masks: (V, H, W), bool, as segmented.
        truth: (V, H, W), bool; the same where nobody knows better.
    """

    camera: Camera
    poses: np.ndarray
    masks: np.ndarray
    truth: np.ndarray


@on_device
def run(settings: Settings, context: Context) -> dict[str, float]:
    """Fits a shape to the masks and compares its silhouettes with them."""
    if context.data is None:
        video = generated(settings.frames, settings.pixels, np.random.default_rng(context.seed))
        context.log(f"a generated video of {len(video.poses)} frames")
    else:
        video = co3d(context.data, settings.frames, settings.pixels)
        context.log(f"{len(video.poses)} frames of {context.data}; nobody knows the true masks")
    fit = shape_from_silhouette(
        video.masks,
        video.camera,
        jnp.asarray(video.poses, jnp.float32),
        key=jax.random.key(context.seed),
        components=settings.components,
        blend=BLEND,
        batch_rays=1600,
        epochs=settings.epochs,
        stopping=StoppingRule(window=settings.window, slope=-1e-5),
        callback=context.progress("shape from a video"),
        checkpoint=context.folder / "fit.npz",
    )
    context.log(repr(fit))
    view = jax.jit(lambda pose: render(fit.shape, video.camera, pose, blend=BLEND).alpha)
    alpha = np.array([view(jnp.asarray(pose, jnp.float32)) for pose in video.poses], np.float64)
    _draw(context, video, alpha)
    return {
        "given": overlap(video.truth, video.masks),
        "half": overlap(video.truth, alpha > 0.5),
        "tenth": overlap(video.truth, alpha > 0.1),
        "fitted": overlap(video.masks, alpha > 0.5),
    }


def generated(frames: int, pixels: int, generator: np.random.Generator) -> Video:
    """A camera led by hand around the rabbit; a quarter of the masks lack a piece, a quarter have one more.

    The pieces are one of eight clusters of the silhouette, or of the pixels within six of it.
    """
    from scipy.ndimage import binary_dilation

    model = load(None, 1, resolution=64)[0]
    camera = Camera.from_fov(pixels, pixels, fov=0.62)
    turn = 2 * np.pi * np.arange(frames) / frames
    height = 1.0 + 0.9 * np.sin(2 * turn) + generator.normal(0, 0.05, frames)
    eyes = np.stack([3.5 * np.sin(turn), height, 3.5 * np.cos(turn)], axis=1)
    targets = generator.normal(0, 0.02, (frames, 3))
    poses = np.array([look_at(eye, target) for eye, target in zip(eyes, targets, strict=True)], np.float64)
    truth = masks_of(model.vertices, model.faces, camera, poses)
    masks = truth.copy()
    order = generator.permutation(frames)
    less, more = order[: frames // 2], order[frames // 2 :]
    # half of each half is changed
    masks[less] = under_segment(truth[less], generator)
    around = np.array([binary_dilation(mask, iterations=6) & ~mask for mask in truth[more]])
    masks[more] |= around & ~under_segment(around, generator)
    return Video(camera, poses, masks, truth)


def co3d(folder: Path, frames: int, pixels: int) -> Video:
    """The first sequence below a folder in CO3D's layout, its masks seen by one common camera.

    Args:
        folder: holds `<category>/frame_annotations.jgz` or is `<category>` itself.
        frames: of the sequence, evenly spread.
        pixels: along each side of the common camera's image.

    Raises:
        ValueError: there are no annotations, or a frame has no mask or one that cannot be read.
    """
    found = sorted(folder.rglob("frame_annotations.jgz"))
    if not found:
        raise ValueError(f"`--data` {folder} holds no frame_annotations.jgz of CO3D's layout.")
    views = read_co3d(found[0])
    first = PurePosixPath(views[0].name).parent.parent
    views = [view for view in views if PurePosixPath(view.name).parent.parent == first]
    views = [views[i] for i in np.unique(np.linspace(0, len(views) - 1, frames).round().astype(int))]
    widest = max(2 * np.arctan(v.camera.height / (2 * float(v.camera.intrinsics[1]))) for v in views)
    camera = Camera.from_fov(pixels, pixels, fov=float(widest))
    masks = np.array([_resampled(view, found[0].parent.parent, camera) for view in views])
    poses = np.array([view.pose for view in views], np.float64)
    # the object's size depends on the reconstruction; the fit measures lengths in its own unit
    return Video(camera, poses, masks, masks)


def _resampled(view: View, root: Path, camera: Camera) -> np.ndarray:
    """A view's mask (H, W) as another camera at the same place sees it, by the nearest pixel."""
    from skimage.io import imread

    if view.mask is None:
        raise ValueError(f"{view.name}: the frame has no mask; choose another sequence.")
    try:
        image = np.asarray(imread(root / view.mask))
    except Exception as error:  # readers raise whatever they like about a damaged file
        raise ValueError(f"{root / view.mask}: cannot be read ({error}). Copy it anew.") from error
    image = (image[..., 0] if image.ndim == 3 else image) > 127
    rays, (fx, fy, cx, cy) = np.asarray(camera.rays()), np.asarray(view.camera.intrinsics)
    column = np.rint(rays[..., 0] * fx + cx).astype(int)
    row = np.rint(rays[..., 1] * fy + cy).astype(int)
    inside = (column >= 0) & (column < image.shape[1]) & (row >= 0) & (row < image.shape[0])
    return inside & image[np.clip(row, 0, image.shape[0] - 1), np.clip(column, 0, image.shape[1] - 1)]


def _draw(context: Context, video: Video, alpha: np.ndarray) -> None:
    wrong = (video.masks ^ video.truth).sum((1, 2))
    chosen = np.argsort(-wrong)[:6] if wrong.any() else np.linspace(0, len(alpha) - 1, 6).astype(int)

    def draw(figure: Canvas) -> None:
        rows = (
            ("masks as segmented", video.masks),
            ("alpha of the shape", alpha),
            ("alpha over 10 %", alpha > 0.1),
            ("true masks", video.truth),
        )
        axes = figure.subplots(len(rows), len(chosen), squeeze=False)
        for line, (name, images) in zip(axes, rows, strict=True):
            for ax, frame in zip(line, chosen, strict=True):
                ax.imshow(images[frame], cmap="gray", vmin=0, vmax=1)
                ax.set_xticks([])
                ax.set_yticks([])
            line[0].set_title(name, loc="left", fontsize="medium")

    context.picture(
        "figure9",
        "Figure 9: frames whose masks are most wrong, the alpha of the shape that all frames give "
        "together, that alpha cut at 10 %, and the true masks (the segmented ones again where nobody knows "
        "the truth).",
        draw,
        size=(8.0, 6.0),
    )


_CAUSE = "The paper shows pictures without figures; a generated video stands for its handheld one."

EXPERIMENT = Experiment(
    name="metaballs.figure9",
    title="Figure 9: a shape from the imperfect masks of a video",
    about=(
        "Masks that a network cuts out of a video lack pieces or have some too many; a shape of few "
        "Gaussians that agrees with all frames evens this out. With `--data` the first sequence of a "
        "folder in CO3D's layout is taken. Without it the video is GENERATED: a camera led around a "
        "rabbit, where a quarter of the masks lack a piece and a quarter have one too many, so that the "
        "true masks are known. The picture shows the frames whose masks are most wrong."
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(frames=10, pixels=32, components=16, epochs=24, window=100),
        "quick": Settings(),
        "paper": Settings(frames=100, epochs=60),
    },
    minutes={"smoke": 0.1, "quick": 0.5, "paper": 1},
    figures=(
        Figure(
            key="half",
            label="intersection over union of alpha over 50 % and true masks",
            cause=_CAUSE,
            smoke=Band(0.6, 0.98, "sixteen Gaussians at 32 x 32 miss a rim of half a pixel at least"),
        ),
        Figure(key="given", label="the same for the segmented masks", cause=_CAUSE),
        Figure(key="tenth", label="the same for alpha over 10 %", cause=_CAUSE),
        Figure(key="fitted", label="the same for alpha over 50 % and the segmented masks", cause=_CAUSE),
    ),
    run=run,
    packages=("fuzzy-metaballs", "jax", "numpy", "scikit-learn"),
)
