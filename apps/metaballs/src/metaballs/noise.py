"""The paper's noise: silhouettes with a piece missing, and depth as a stereo camera measures it."""

from __future__ import annotations

import numpy as np


def under_segment(masks: np.ndarray, generator: np.random.Generator, *, pieces: int = 8) -> np.ndarray:
    """Removes one of eight pieces of the silhouette in half of the views, drawn at random (section 7.2).

    The pixels of a silhouette are clustered by their coordinates with mini-batch k-means (Sculley 2010), and
    one cluster goes.

    Args:
        masks: (V, H, W), bool.
        generator: chooses views, clusters and the starts of k-means.
        pieces: clusters of a silhouette.

    Returns:
        (V, H, W), bool.
    """
    from sklearn.cluster import MiniBatchKMeans

    noisy = masks.copy()
    for view in generator.choice(len(masks), len(masks) // 2, replace=False):
        pixels = np.argwhere(masks[view])
        means = MiniBatchKMeans(pieces, random_state=int(generator.integers(2**31)))
        labels = means.fit_predict(pixels.astype(np.float64))
        gone = pixels[labels == generator.choice(np.unique(labels))]
        noisy[view, gone[:, 0], gone[:, 1]] = False
    return noisy


def stereo_depth(
    depth: np.ndarray, generator: np.random.Generator, *, deviation: float, size: float
) -> np.ndarray:
    r"""Adds the noise of a stereo camera: normal in disparity, so its deviation grows with depth squared.

    $$z' = \frac{z}{1 + \varepsilon z / \bar z}, \qquad
    \varepsilon \sim N\left(0, (\mathtt{deviation} \cdot \mathtt{size} / \bar z)^2\right),$$
    with the mean depth $\bar z$ of the image. The paper says "simulated depth noise" and cites such cameras
    (Keselman et al. 2017); the strength is ours.

    Args:
        depth: any shape, positive; what is not finite stays as it is.
        generator: draws the noise, independent from pixel to pixel.
        deviation: of the noise at the mean depth, as a share of `size`.
        size: of the object, in the unit of `depth`.
    """
    seen = np.isfinite(depth)
    mean = depth[seen].mean()
    error = generator.normal(0, deviation * size / mean, depth.shape)
    noisy = depth.copy()
    noisy[seen] = depth[seen] / np.maximum(1 + error[seen] * depth[seen] / mean, 0.5)
    return noisy
