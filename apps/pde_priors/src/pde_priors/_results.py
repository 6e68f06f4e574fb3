"""What was measured, by direction, number of tiles and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pde_priors._statistics import interval
from pde_priors._variants import SCORES, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float

    from pde_priors._frames import Frame
    from pde_priors._variants import Weights


@dataclass(frozen=True)
class Trained:
    """All networks trained on one pair of kinds.

    Attributes:
        frame: the first test frame, for pictures.
        weights: of the priors, by variant.
        networks: what `train_one` returned, by number of tiles and variant, a list over the networks.
    """

    frame: Frame
    weights: dict[str, Weights]
    networks: dict[int, dict[str, list[dict[str, np.ndarray]]]]


@dataclass(frozen=True)
class Results:
    """The networks of all directions."""

    trained: dict[str, Trained]

    @property
    def tiles(self) -> list[int]:
        """The numbers of tiles, as the settings give them."""
        return list(next(iter(self.trained.values())).networks)

    def scores(
        self, tiles: int, variant: str, score: int, direction: str | None = None
    ) -> list[Float[np.ndarray, "networks frames"]]:
        """Returns one score as tables of networks and test frames, one for every direction (or for one)."""
        return [
            np.stack([network["scores"][:, score] for network in trained.networks[tiles][variant]])
            for name, trained in self.trained.items()
            if direction in (None, name)
        ]

    def gains(
        self, tiles: int, variant: str, score: int, direction: str | None = None
    ) -> list[Float[np.ndarray, "networks frames"]]:
        """Returns a score less the baseline's, of the same first weights, tiles and frames."""
        pairs = zip(
            self.scores(tiles, variant, score, direction),
            self.scores(tiles, "none", score, direction),
            strict=True,
        )
        return [ours - baseline for ours, baseline in pairs]

    def spread(self, tiles: int, variant: str) -> float:
        """Deviation over the networks of the mean Dice over frames; the root mean square over directions.

        Zero for a single network.
        """
        means = [table.mean(1) for table in self.scores(tiles, variant, 0)]
        return float(np.sqrt(np.mean([mean.var(ddof=1) if len(mean) > 1 else 0.0 for mean in means])))

    def lines(self) -> Iterator[str]:
        """Yields everything for the log: for every direction, and for all together."""
        for direction, trained in self.trained.items():
            weights = ", ".join(f"{VARIANTS[v]} {w[0]:g} and {w[1]:g}" for v, w in trained.weights.items())
            yield f"{direction}: weights: {weights}"
        for direction in (*self.trained, None) if len(self.trained) > 1 else self.trained:
            for tiles in self.tiles:
                for variant, name in VARIANTS.items():
                    parts = []
                    for k, (label, _) in enumerate(SCORES.values()):
                        mean = interval(self.scores(tiles, variant, k, direction)).mean
                        gain = interval(self.gains(tiles, variant, k, direction))
                        parts.append(f"{label} {mean:.4f}" + ("" if variant == "none" else f" ({gain})"))
                    where = direction or "all directions"
                    yield f"{where}, {tiles or 'all'} tiles, {name}: {'; '.join(parts)}"
