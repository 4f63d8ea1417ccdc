"""What the search for cells measures of a whole picture before it looks at a single cell.

A slide is searched window by window. Were each window to measure its own stain, its cells would depend on where
the windows happen to lie. So all that is measured is measured once, on a sample of the slide, and every window
is searched by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Pivots", "Reference", "Tone"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]


class Pivots(NamedTuple):
    """The pivots of an image."""

    features: Float  # (k, 3) stain features
    nuclear: Bool  # (k,)
    ground: float  # median strength of the background

    def nearest_is_nuclear(self, features: npt.NDArray[np.uint8], lenient: float = 1.0) -> Bool:
        """Eq. 4 for the pixels (H, W, 3) of a window: whether the nearest pivot is a nuclear one.

        With ``lenient`` above 1 a nuclear pivot may be farther by that factor, in squared distance. All numbers
        are integers below 2^24, so single precision is exact.
        """
        squares = np.square(self.features).sum(axis=1).astype(np.float32)
        weights = (-2.0 * self.features).astype(np.float32)
        out = np.empty(features.shape[:2], np.bool_)
        rows = max(1, (1 << 14) // max(1, features.shape[1]))  # stay in the cache
        for top in range(0, len(features), rows):
            part = features[top : top + rows]
            values = part.reshape(-1, 3).T.astype(np.float32)
            # Squared distances are these and the pixel's own square, which matters to `lenient` alone.
            own = np.float32(0) if lenient == 1.0 else np.square(values).sum(axis=0)

            nuclear, other = (
                _to_nearest(values, own, weights[pivots], squares[pivots])
                for pivots in (self.nuclear, ~self.nuclear)
            )
            out[top : top + rows] = (nuclear < lenient * other).reshape(part.shape[:2])
        return out


def _to_nearest(values: Single, own: Any, weights: Single, squares: Single) -> Any:
    """Squared distance of pixels (3, n) to the nearest of some pivots; infinite where there are none."""
    nearest: Any = np.float32(np.inf)
    for weight, square in zip(weights, squares, strict=True):
        # Not by BLAS, whose threads would wait in a loop for the next small product.
        distance = values[0] * weight[0]
        distance += values[1] * weight[1]
        distance += values[2] * weight[2]
        distance += own + square
        nearest = np.minimum(nearest, distance)
    return nearest


class Tone(NamedTuple):
    """The colours of an image's cytoplasm."""

    dark: float  # median strength of the rough nuclei
    level: float  # median strength of cytoplasm
    model: (
        tuple[float, ...] | None
    )  # weights and bias that tell cytoplasm from red cells, where there are any
    limit: float  # how far cytoplasm reaches, in nuclear radii


@dataclass(frozen=True)
class Reference:
    """Made by `fastpgs.cells.fit_reference`, taken by `fastpgs.find_cells`.

    Attributes
    ----------
    white : (3,) float64 ndarray
        Background colour, levels.
    pivots : Pivots
    tone : Tone
    radius : float
        Typical radius of a nucleus, pixels.
    part, body : float
        Typical area of a rough nucleus, and of the nucleus of a whole cell; pixels.
    depth : float
        Typical depth of the stain of a nucleus.
    many : bool
        Whether the sample had so many nuclei that ``radius`` is that of whole ones.
    cell : float
        Largest distance between two pixels of a cell of the sample along an axis, pixels.
    """

    white: Float
    pivots: Pivots
    tone: Tone
    radius: float
    part: float
    body: float
    depth: float
    many: bool
    cell: float

    @property
    def margin(self) -> int:
        """Pixels that a window must show around the pixels whose cells are wanted.

        So far reaches what a cell depends on: its own extent, the cytoplasm of neighbours that it may touch, and
        the lobes that count as one nucleus with its own.
        """
        return int(np.ceil(max(1.5 * self.cell, MARGIN * self.radius)))

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        values = asdict(self)
        values["white"] = self.white.tolist()
        values["pivots"] = {
            "features": self.pivots.features.tolist(),
            "nuclear": self.pivots.nuclear.tolist(),
            "ground": self.pivots.ground,
        }
        values["tone"] = self.tone._asdict()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reference:
        """The inverse of `to_dict`."""
        pivots, tone = values["pivots"], values["tone"]
        model = tone["model"]
        own = {
            "white": np.asarray(values["white"], np.float64),
            "pivots": Pivots(
                np.asarray(pivots["features"], np.float64),
                np.asarray(pivots["nuclear"], bool),
                pivots["ground"],
            ),
            "tone": Tone(**{**tone, "model": None if model is None else tuple(model)}),
        }
        return cls(**{**values, **own})


MARGIN = 6.0  # nuclear radii
