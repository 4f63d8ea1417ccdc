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


class Pivots(NamedTuple):
    """The pivots of an image."""

    features: Float  # (k, 3) stain features
    nuclear: Bool  # (k,)
    ground: float  # median strength of the background


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
    edge : float
        Typical steepness of that depth along a cell's outline, levels a pixel.
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
    edge: float
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
