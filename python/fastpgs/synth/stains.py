"""Stain presets: the colour that each structure of a smear takes.

The light that a stained structure absorbs adds up as optical density (Beer and Lambert): two overlapping
red cells are darker than one. A preset therefore names plain colours, as one reads them off a picture, and
`Stain.density` turns them into densities relative to the empty background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

RGB = tuple[int, int, int]
"""A colour in 8-bit levels, red first."""

Structure = Literal[
    "red",
    "chromatin_pale",
    "chromatin_dense",
    "blue",
    "pink",
    "grey",
    "granule",
    "eosin",
    "platelet",
    "speck",
]


@dataclass(frozen=True)
class Stain:
    """The colours of one stain, each as seen alone on `background`.

    Attributes
    ----------
    background : tuple of int
        Empty glass, where the light is brightest.
    red : tuple of int
        A red cell at its thickest.
    chromatin_pale, chromatin_dense : tuple of int
        The loosest and the densest chromatin of a nucleus.
    blue, pink, grey : tuple of int
        Cytoplasm of lymphoid cells, of granulocytes, of monocytes.
    granule, eosin : tuple of int
        Granules of neutrophils and platelets; granules of eosinophils.
    platelet : tuple of int
        Body of a platelet.
    speck : tuple of int
        Stain precipitate.
    pallor : float
        How pale the middle of a usual red cell is, 0 to 1: thin, slowly dried smears show rings.
    """

    background: RGB
    red: RGB
    chromatin_pale: RGB
    chromatin_dense: RGB
    blue: RGB
    pink: RGB
    grey: RGB
    granule: RGB
    eosin: RGB
    platelet: RGB
    speck: RGB
    pallor: float = 0.45

    def __post_init__(self) -> None:
        if not 0.0 <= self.pallor <= 1.0:
            raise ValueError(f"pallor must lie in 0..1, got {self.pallor!r}")
        for name in ("background", *get_args(Structure)):
            colour = getattr(self, name)
            if len(colour) != 3 or not all(0 <= level <= 255 for level in colour):
                raise ValueError(f"{name} must be three levels in 0..255, got {colour!r}")

    def density(self, structure: Structure) -> npt.NDArray[np.float64]:
        """Optical density of one structure.

        Parameters
        ----------
        structure : str
            The name of an attribute other than ``background``.

        Returns
        -------
        ndarray of float64, shape (3,)
            Natural-log density a channel: the background times ``exp(-density)`` is the colour.
        """
        seen = np.maximum(np.asarray(getattr(self, structure), dtype=np.float64), 1.0)
        return np.log(np.maximum(np.asarray(self.background, dtype=np.float64), 1.0) / seen)

    def varied(self, rng: np.random.Generator, amount: float) -> Stain:
        """The same stain from another day: every structure a little stronger or weaker, in each channel.

        Parameters
        ----------
        rng : numpy.random.Generator
        amount : float
            Standard deviation of the relative change of the densities.

        Returns
        -------
        Stain
        """
        background = np.asarray(self.background, dtype=np.float64)
        together = 1.0 + amount * rng.standard_normal(3)
        colours: dict[str, RGB] = {}
        for name in get_args(Structure):
            factor = np.maximum(together + 0.5 * amount * rng.standard_normal(), 0.1)
            red, green, blue = np.clip(np.rint(background * np.exp(-factor * self.density(name))), 0, 255)
            colours[name] = (int(red), int(green), int(blue))
        return replace(self, **colours)  # type: ignore[arg-type]


STAINS: dict[str, Stain] = {
    # Wright-Giemsa on an analyser's camera: cream background, salmon red cells, violet nuclei.
    "wright": Stain(
        background=(253, 229, 206),
        red=(199, 132, 147),
        chromatin_pale=(150, 98, 166),
        chromatin_dense=(58, 22, 116),
        blue=(146, 142, 188),
        pink=(221, 183, 184),
        grey=(180, 163, 188),
        granule=(158, 92, 146),
        eosin=(192, 88, 104),
        platelet=(158, 122, 172),
        speck=(34, 18, 84),
    ),
    # Leishman-like, cold light: blue-grey red cells, bright violet nuclei on near-white.
    "leishman": Stain(
        background=(243, 251, 249),
        red=(160, 176, 212),
        chromatin_pale=(178, 142, 246),
        chromatin_dense=(84, 40, 210),
        blue=(118, 146, 232),
        pink=(226, 208, 240),
        grey=(184, 186, 234),
        granule=(178, 122, 226),
        eosin=(234, 150, 186),
        platelet=(140, 142, 212),
        speck=(56, 40, 130),
        pallor=0.74,
    ),
    # Faded or short-stained: lilac nuclei hardly darker than the red cells.
    "pale": Stain(
        background=(252, 252, 249),
        red=(186, 198, 220),
        chromatin_pale=(234, 190, 250),
        chromatin_dense=(186, 104, 236),
        blue=(200, 200, 244),
        pink=(245, 224, 245),
        grey=(220, 213, 239),
        granule=(214, 166, 234),
        eosin=(244, 176, 198),
        platelet=(200, 188, 232),
        speck=(116, 104, 170),
        pallor=0.8,
    ),
    # Thick or over-stained: dense nuclei, mauve red cells, dull background.
    "dark": Stain(
        background=(234, 204, 189),
        red=(158, 112, 130),
        chromatin_pale=(104, 58, 136),
        chromatin_dense=(40, 10, 92),
        blue=(104, 96, 154),
        pink=(186, 138, 160),
        grey=(144, 120, 156),
        granule=(120, 58, 118),
        eosin=(160, 52, 78),
        platelet=(120, 84, 142),
        speck=(22, 10, 60),
    ),
    # Rapid one-minute stain under yellow light: wine-red nuclei, straw-coloured red cells.
    "rapid": Stain(
        background=(255, 251, 166),
        red=(236, 198, 132),
        chromatin_pale=(166, 84, 110),
        chromatin_dense=(76, 10, 78),
        blue=(182, 148, 112),
        pink=(222, 176, 138),
        grey=(198, 158, 122),
        granule=(178, 98, 110),
        eosin=(224, 104, 76),
        platelet=(184, 124, 112),
        speck=(70, 22, 60),
    ),
}
"""The presets by name."""


def resolve_stain(stain: str | Stain) -> Stain:
    """Look up a preset by name; a `Stain` is handed through.

    Raises
    ------
    ValueError
        If no preset has that name.
    """
    if isinstance(stain, Stain):
        return stain
    if stain not in STAINS:
        raise ValueError(f"stain must be one of {sorted(STAINS)} or a Stain, got {stain!r}")
    return STAINS[stain]
