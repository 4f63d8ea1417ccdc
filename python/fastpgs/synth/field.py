"""Fields of a stained blood smear with known cells, and single cells on black."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .canvas import Canvas, Labels, Light, expose, read_out
from .erythrocytes import draw_platelet, draw_red, draw_speck, random_platelet, random_speck
from .leukocytes import KINDS, random_cell
from .placing import place_reds, place_whites, scatter
from .stains import Stain, resolve_stain

NORMAL_MIX: Mapping[str, float] = {
    "lymphocyte": 0.4,
    "neutrophil": 0.4,
    "monocyte": 0.12,
    "eosinophil": 0.08,
}
"""How often each kind is drawn among the normal cells of a field."""

RED_DENSITY = 0.0105
"""Red cells a square micrometre of free area, where their number is not given."""


@dataclass(frozen=True, eq=False)
class Smear:
    """A synthetic picture and the truth about it.

    Attributes
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    cells : ndarray of int32, shape (H, W)
        Id of the white cell at every pixel, 1..n; 0 elsewhere. Where two cells overlap the pixel belongs to
        the one with the higher id, which lies on top in the picture too.
    nuclei : ndarray of int32, shape (H, W)
        The same ids in the nuclei only: where it is not 0 it equals `cells`.
    red : ndarray of int32, shape (H, W)
        Id of the uppermost red cell, 1..number of red cells; 0 elsewhere. A red cell that others cover
        completely has an id without a pixel.
    kinds : tuple of str
        Kind of each white cell: ``kinds[i - 1]`` for id i.
    is_blast : ndarray of bool, shape (n,)
        Whether each white cell is a blast, in the same order.
    n_red : int
        Number of red cells.
    pixel_size : float
        Micrometres a pixel.
    """

    image: npt.NDArray[np.uint8]
    cells: Labels
    nuclei: Labels
    red: Labels
    kinds: tuple[str, ...]
    is_blast: npt.NDArray[np.bool]
    n_red: int
    pixel_size: float

    def __len__(self) -> int:
        """Number of white cells."""
        return len(self.kinds)


def smear(
    shape: tuple[int, int] = (512, 512),
    *,
    n_blasts: int = 6,
    n_normals: int = 4,
    n_red: int | None = None,
    n_platelets: int | None = None,
    n_specks: int | None = None,
    normal_mix: Mapping[str, float] | None = None,
    stain: str | Stain = "wright",
    pixel_size: float = 0.16,
    touching: float = 0.2,
    border: bool = True,
    illumination: float = 0.06,
    blur: float = 0.13,
    noise: float = 1.6,
    seed: int = 0,
) -> Smear:
    """Draw a field of a stained blood smear.

    The picture follows from the arguments alone: the same ones give the same bytes with the same NumPy. The
    scene lives in micrometres, so the same seed with twice the `shape` and half the `pixel_size` is the same
    field at twice the magnification.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    n_blasts : int
        Number of lymphoblasts.
    n_normals : int
        Number of normal white cells.
    n_red : int, optional
        Number of red cells. None: as many as a thin smear has, by the area that white cells leave.
    n_platelets, n_specks : int, optional
        Number of platelets and of specks of stain precipitate. None: a few, by the area.
    normal_mix : mapping of str to float, optional
        Relative frequency of the kinds among the normal cells (any kind of `KINDS` that is not a blast).
        None: `NORMAL_MIX`.
    stain : str or Stain
        ``"wright"``, ``"leishman"``, ``"pale"``, ``"dark"``, ``"rapid"``, or colours of your own.
    pixel_size : float
        Micrometres a pixel.
    touching : float
        Part of the white cells, 0 to 1, that is set against another one. The others keep clear.
    border : bool
        Whether the border may cut white cells. The centre of each stays inside the field in either case.
    illumination : float
        Unevenness of the light, relative to its brightness.
    blur : float
        Standard deviation of the blur, micrometres: 0.1 is sharp, 0.5 out of focus.
    noise : float
        Standard deviation of the sensor noise at full brightness, in 8-bit levels.
    seed : int
        Seed of everything random.

    Returns
    -------
    Smear

    Raises
    ------
    ValueError
        If an argument is out of range, or if the white cells don't fit into the field.

    Examples
    --------
    >>> from fastpgs.synth import smear
    >>> field = smear((128, 128), n_blasts=1, n_normals=1, seed=3)
    >>> field.image.shape, len(field), int(field.is_blast.sum())
    ((128, 128, 3), 2, 1)
    """
    _check_field(shape, pixel_size, illumination, blur, noise)
    _check_counts(
        n_blasts=n_blasts, n_normals=n_normals, n_red=n_red, n_platelets=n_platelets, n_specks=n_specks
    )
    if not 0.0 <= touching <= 1.0:
        raise ValueError(f"touching must lie in 0..1, got {touching!r}")
    colours = resolve_stain(stain)
    extent = (shape[0] * pixel_size, shape[1] * pixel_size)
    # One stream a layer: leaving out the red cells moves no white cell.
    for_whites, for_reds, for_debris, for_light, for_noise = (
        np.random.Generator(np.random.PCG64(sequence)) for sequence in np.random.SeedSequence(seed).spawn(5)
    )

    kinds = _kinds(for_whites, n_blasts, n_normals, NORMAL_MIX if normal_mix is None else normal_mix)
    whites = place_whites(for_whites, kinds, extent, touching, border)
    area = extent[0] * extent[1]
    free = max(area - sum(math.pi * cell.outline.radius**2 for cell in whites), 0.0)
    if n_red is None:
        n_red = round(RED_DENSITY * free)
    reds = place_reds(for_reds, n_red, extent, whites)
    if n_platelets is None:
        n_platelets = round(0.0007 * free)
    platelets = [
        random_platelet(for_debris, *place) for place in scatter(for_debris, n_platelets, extent, whites)
    ]
    if n_specks is None:
        n_specks = round(0.0012 * area)
    specks = [random_speck(for_debris, *place) for place in scatter(for_debris, n_specks, extent, ())]

    canvas = Canvas(shape, pixel_size, colours)
    for red_id, disc in enumerate(reds, start=1):
        canvas.paint_disc(disc, draw_red, red_id)
    for disc in platelets:
        canvas.paint_disc(disc, draw_platelet)
    for cell_id, cell in enumerate(whites, start=1):
        canvas.paint_cell(cell, cell_id)
    for disc in specks:
        canvas.paint_disc(disc, draw_speck)
    image = read_out(expose(canvas, Light.random(for_light, illumination, extent), blur), noise, for_noise)
    return Smear(
        image=image,
        cells=canvas.cells,
        nuclei=canvas.nuclei,
        red=canvas.red,
        kinds=tuple(kinds),
        is_blast=np.array([KINDS[kind].is_blast for kind in kinds], dtype=np.bool),
        n_red=n_red,
        pixel_size=pixel_size,
    )


def single_cell(
    kind: str = "lymphoblast",
    size: int = 450,
    *,
    stain: str | Stain = "wright",
    pixel_size: float | None = None,
    blur: float = 0.1,
    noise: float = 1.6,
    seed: int = 0,
) -> Smear:
    """Draw one white cell on an exactly black surround, as C-NMC shows its cells.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    size : int
        Rows and columns of the picture.
    stain : str or Stain
        As in `smear`.
    pixel_size : float, optional
        Micrometres a pixel. None: the picture is 22.5 micrometres wide (0.05 at the default size).
    blur, noise : float
        As in `smear`.
    seed : int
        Seed of everything random.

    Returns
    -------
    Smear
        With one cell, whose pixels alone are not (0, 0, 0).

    Raises
    ------
    ValueError
        If an argument is out of range, or if cells of that kind are larger than the picture.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {sorted(KINDS)}, got {kind!r}")
    if pixel_size is None:
        pixel_size = 22.5 / max(size, 1)
    _check_field((size, size), pixel_size, 0.0, blur, noise)
    for_cell, for_noise = (
        np.random.Generator(np.random.PCG64(sequence)) for sequence in np.random.SeedSequence(seed).spawn(2)
    )
    middle = size * pixel_size / 2.0
    for _ in range(20):
        cell = replace(random_cell(kind, for_cell), y=middle, x=middle)
        if cell.outline.reach + 0.5 <= middle:
            break
    else:
        raise ValueError(
            f"a {kind} of {2.0 * cell.outline.reach:.1f} um does not fit into a picture of "
            f"{size * pixel_size:.1f} um; give a larger size or pixel_size"
        )
    canvas = Canvas((size, size), pixel_size, resolve_stain(stain))
    canvas.paint_cell(cell, 1)
    light = Light.random(for_noise, 0.0, (2.0 * middle, 2.0 * middle))
    image = read_out(expose(canvas, light, blur), noise, for_noise)
    inside = canvas.cells > 0
    # At least 1, so that black means "not the cell" without exception.
    image = np.where(inside[..., None], np.maximum(image, 1), 0).astype(np.uint8)
    return Smear(
        image=image,
        cells=canvas.cells,
        nuclei=canvas.nuclei,
        red=canvas.red,
        kinds=(kind,),
        is_blast=np.array([KINDS[kind].is_blast], dtype=np.bool),
        n_red=0,
        pixel_size=pixel_size,
    )


def _kinds(
    rng: np.random.Generator, n_blasts: int, n_normals: int, normal_mix: Mapping[str, float]
) -> list[str]:
    """The kinds of the white cells of a field, in random order."""
    usable = sorted(kind for kind, traits in KINDS.items() if not traits.is_blast)
    names = list(normal_mix)
    weights = np.array([normal_mix[name] for name in names], dtype=np.float64)
    if set(names) - set(usable):
        raise ValueError(f"normal_mix may name {usable}, got {names}")
    if not (np.isfinite(weights).all() and (weights >= 0.0).all() and weights.sum() > 0.0):
        raise ValueError(f"normal_mix needs weights >= 0, one of them > 0, got {dict(normal_mix)}")
    kinds = ["lymphoblast"] * n_blasts
    kinds += [str(kind) for kind in rng.choice(names, size=n_normals, p=weights / weights.sum())]
    return [kinds[index] for index in rng.permutation(len(kinds))]


def _check_field(
    shape: tuple[int, int], pixel_size: float, illumination: float, blur: float, noise: float
) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be two lengths >= 1, got {shape!r}")
    if not (math.isfinite(pixel_size) and pixel_size > 0.0):
        raise ValueError(f"pixel_size must be > 0, got {pixel_size!r}")
    for name, value in (("illumination", illumination), ("blur", blur), ("noise", noise)):
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{name} must be >= 0, got {value!r}")


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 0:
            raise ValueError(f"{name} must be >= 0, got {count!r}")
