"""From an image to the crops a network is fed: the same steps in training and in use.

image -> 8-bit RGB -> cells -> crops at one scale -> noise removal, white balance, mask -> grey or RGB tensor
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import _core

if TYPE_CHECKING:
    from torch import Tensor

    from fastpgs.cells import Cells

UInt8 = NDArray[np.uint8]

# White balance brings the background to this level, which leaves room above it for glare.
SIDE = 8  # sides of crops are multiples of it: networks halve them three times
WHITE = 240
DARKEST_WHITE = 32
SAME_SIZE = 0.05  # pixel sizes that differ by less than this share need no resampling
COARSEST = 2.0  # pixels this many times coarser than the training's show no chromatin
STRONGEST = 1.6  # a light that asks for a larger gain than this, or for less than its inverse, is not mended
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True)
class InputSpec:
    """How crops are made; stored with the model, so that use repeats training.

    Attributes
    ----------
    size : int
        Side of a crop in pixels, divisible by 8.
    colour : {"rgb", "grey"}
    source : {"cells", "image"}
        Crops of PGS cells, or the middle of the raw image as a single crop.
    masked : bool
        Blank everything that is not the cell.
    balance : {"none", "white", "typical"}
        ``"white"`` scales each channel so that the field's background becomes white. ``"typical"`` leaves fields
        alone whose background is one of the training's, and scales others so that it becomes the typical one.
    light : tuple of three tuples of three floats
        Lowest, typical and highest background of the training fields, as red / green, blue / green, and green
        level; fitted, where ``balance`` is ``"typical"``.
    denoise : {"none", "median"}
        ``"median"`` takes each channel's median over 3 x 3 pixels.
    scale : float
        Crop pixels an image pixel, one fixed factor for all cells: size is a feature and is kept.
    pixel_size : float, optional
        Micrometres a pixel of the training images, where that is known: slides are looked at in this size.
    cells : dict
        Options of `fastpgs.find_cells`.
    mean, std : tuple of float
        Of the training crops, each channel, in [0, 1] units.
    """

    size: int = 48
    colour: str = "rgb"
    source: str = "cells"
    masked: bool = False
    balance: str = "white"
    light: tuple[tuple[float, ...], ...] = ()
    denoise: str = "none"
    scale: float = 1.0
    pixel_size: float | None = None
    cells: dict[str, Any] = field(default_factory=dict)
    mean: tuple[float, ...] = (0.7,)
    std: tuple[float, ...] = (0.25,)

    def __post_init__(self) -> None:
        if self.size < SIDE or self.size % SIDE:
            raise ValueError(f"size must be a positive multiple of {SIDE}, got {self.size}")
        _one_of("colour", self.colour, ("rgb", "grey"))
        _one_of("source", self.source, ("cells", "image"))
        _one_of("balance", self.balance, ("none", "white", "typical"))
        _one_of("denoise", self.denoise, ("none", "median"))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale must be a finite number > 0, got {self.scale}")
        if self.light and (len(self.light) != 3 or any(len(row) != 3 for row in self.light)):
            raise ValueError(f"light needs three rows of three values, got {self.light}")
        if self.pixel_size is not None and not (np.isfinite(self.pixel_size) and self.pixel_size > 0):
            raise ValueError(f"pixel_size must be a finite number of micrometres > 0, got {self.pixel_size}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(f"{name} needs 1 or {self.channels} values, got {len(values)}")

    @property
    def channels(self) -> int:
        """Channels of a crop."""
        return 3 if self.colour == "rgb" else 1

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return plain | {"light": [list(row) for row in self.light]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> InputSpec:
        """The inverse of `to_dict`; unknown keys are refused."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown input options: {sorted(unknown)}")
        given: dict[str, Any] = {k: tuple(v) if k in ("mean", "std") else v for k, v in values.items()}
        if "light" in given:
            given["light"] = tuple(tuple(float(v) for v in row) for row in given["light"])
        return cls(**given)


def to_rgb8(image: NDArray[Any]) -> UInt8:
    """Any image as (H, W, 3) uint8.

    Parameters
    ----------
    image : ndarray, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
        uint8, uint16 (scaled by 1/257) or float in [0, 1]. Alpha is dropped.

    Raises
    ------
    ValueError
        Other shapes or types, values that are not finite or outside [0, 1].
    """
    array = np.asarray(image)
    if array.dtype == np.uint8 and array.shape[2:] == (3,) and array.size:  # as most are
        return np.ascontiguousarray(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(f"expected an image of shape (H, W), (H, W, 3) or (H, W, 4), got {np.shape(image)}")
    array = array[..., :3]
    if array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ValueError("a float image must be finite and within [0, 1]")
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(f"expected uint8, uint16 or float pixels, got {array.dtype}")
    if array.shape[2] == 1:
        array = np.broadcast_to(array, (*array.shape[:2], 3))
    return np.ascontiguousarray(array)


def background(image: UInt8) -> NDArray[np.float64]:
    """Colour of the empty glass: the median of the brightest tenth of the pixels, each channel."""
    return _core.picture_light(np.ascontiguousarray(image))[0]


def find(
    image: NDArray[Any], spec: InputSpec, num_threads: int | None = None, *, measured: bool = True
) -> Cells:
    """Cells of an image with the options of the model; not ``measured``: with what the pipeline asks of a table."""
    from fastpgs.cells.find import find_cells, place_cells

    rgb = to_rgb8(image)
    if spec.source == "image":
        return _whole(rgb)
    if measured:
        return find_cells(rgb, num_threads=num_threads, **spec.cells)
    options = {name: value for name, value in spec.cells.items() if name != "pixel_size"}
    return place_cells(rgb, num_threads=num_threads, **options)


def zoom_of(pixel_size: float | None, wanted: float | None) -> float:
    """Pixels of the training's size a pixel of ``pixel_size`` micrometres; 1 where either is not known.

    Raises
    ------
    ValueError
        The pixels are far too coarse.
    """
    if pixel_size is None or wanted is None:
        return 1.0
    zoom = pixel_size / wanted
    if zoom > COARSEST:
        raise ValueError(
            f"pixels of {pixel_size:g} µm are {zoom:.2g} times as large as those of the model's training"
            f" ({wanted:g} µm); expected at most {COARSEST:g} times"
        )
    return 1.0 if abs(zoom - 1.0) < SAME_SIZE else zoom


def cut(
    image: NDArray[Any],
    cells: Cells,
    spec: InputSpec,
    level: NDArray[np.float64] | None = None,
    gain: NDArray[np.float64] | None = None,
) -> UInt8:
    """Crops of cells as the network wants them.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
    cells : Cells
    spec : InputSpec
    level : float64, shape (3,), optional
        `background` of the slide that the image is a window of; default: the image's own.
    gain : float64, shape (3,), optional
        `gains` of that level, where they are known.

    Returns
    -------
    ndarray, uint8, shape (n, size, size, 3) or (n, size, size)
        Beyond the picture there is background.
    """
    rgb = to_rgb8(image)
    if level is None:
        level = background(rgb)
    margin = margin_of(spec)
    crops = cut_raw(rgb, cells, spec, level, margin)
    masks = cut_masks(cells, spec, margin) if spec.masked else None
    return develop(crops, masks, field_gain(level, spec) if gain is None else gain, spec)


def margin_of(spec: InputSpec) -> int:
    """Pixels around a raw crop. A filter looks beyond the crop's edge, where training has a margin too."""
    return 0 if spec.denoise == "none" else 1


def develop(crops: UInt8, masks: UInt8 | None, gain: NDArray[np.float64], spec: InputSpec) -> UInt8:
    """What `cut` returns, of raw crops of one field with the margin of `margin_of`, their masks, and `field_gain`."""
    margin = margin_of(spec)
    done = finish(crops, masks, gain[None], spec)
    return np.ascontiguousarray(done[:, margin : margin + spec.size, margin : margin + spec.size])


def cut_raw(rgb: UInt8, cells: Cells, spec: InputSpec, level: NDArray[np.float64], margin: int = 0) -> UInt8:
    """Crops before any change of colour: (n, S, S, 3) with S = size + 2 * margin."""
    from fastpgs.cells import crop_cells

    crops: UInt8 = crop_cells(rgb, cells, spec.size + 2 * margin, fill=level, zoom=spec.scale)
    return crops


def cut_masks(cells: Cells, spec: InputSpec, margin: int = 0) -> UInt8:
    """For each crop, 255 where the cell itself is: (n, S, S) uint8."""
    from fastpgs.cells import crop_cells

    inside = np.where(cells.labels > 0, 255, 0).astype(np.uint8)
    masks = crop_cells(inside, cells, spec.size + 2 * margin, masked=True, fill=0, zoom=spec.scale)
    return np.asarray(masks, dtype=np.uint8)


def finish(crops: UInt8, masks: UInt8 | None, gain: NDArray[np.float64], spec: InputSpec) -> UInt8:
    """Noise removal, white balance, masking and grey, as the model's input asks.

    Parameters
    ----------
    crops : uint8, shape (n, S, S, 3)
    masks : uint8, shape (n, S, S), optional
        Needed where ``spec.masked``.
    gain : float64, shape (n, 3) or (1, 3)
        `gains` of the field each crop is from, or of the one that all are from.
    spec : InputSpec

    Returns
    -------
    uint8, shape (n, S, S, 3) or (n, S, S)
    """
    if spec.denoise == "median":
        from scipy.ndimage import median_filter

        crops = median_filter(crops, size=(1, 3, 3, 1), mode="nearest")
    factors = gain.ravel().tolist()
    if factors.count(1.0) != len(factors):  # as a rule all are 1
        crops = np.clip(np.rint(crops * gain[:, None, None, :].astype(np.float32)), 0, 255).astype(np.uint8)
    if spec.masked:
        if masks is None:
            raise ValueError("masked crops need the masks of their cells")
        crops = np.where(masks[..., None] >= 128, crops, np.uint8(WHITE))
    if spec.colour == "grey":
        crops = np.rint(crops @ LUMA).astype(np.uint8)
    return np.ascontiguousarray(crops)


def describe_light(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Backgrounds (n, 3) as red / green, blue / green, and green level."""
    green = np.maximum(levels[:, 1], 1.0)
    return np.stack([levels[:, 0] / green, levels[:, 2] / green, levels[:, 1]], axis=1)


def fit_light(levels: NDArray[np.float64], tail: float = 0.01) -> tuple[tuple[float, ...], ...]:
    """`InputSpec.light` of training fields with the backgrounds `levels` (n, 3); `tail` on either side is left out.

    Exposure clips most backgrounds at white, so a green level a tenth below the typical one is not odd yet.
    """
    rows = np.quantile(describe_light(levels), [tail, 0.5, 1.0 - tail], axis=0)
    rows[0, 2] = min(rows[0, 2], 0.9 * rows[1, 2])
    return tuple(tuple(round(float(v), 4) for v in row) for row in rows)


def gains(levels: NDArray[np.float64], spec: InputSpec) -> NDArray[np.float64]:
    """Factor on each channel (n, 3) of fields with the backgrounds `levels` (n, 3), as `spec.balance` asks.

    Fields too dark to have a background are left as they are, and so are, where ``"typical"``, those that would
    have to be changed beyond recognition.
    """
    out = np.ones(np.shape(levels))
    bright = levels.min(axis=1) >= DARKEST_WHITE
    if spec.balance == "white":
        out[bright] = WHITE / levels[bright]
    elif spec.balance == "typical" and spec.light:
        low, typical, high = spec.light
        found = describe_light(levels)
        mend = bright & ((found < low) | (found > high)).any(axis=1)
        if mend.any():
            wanted = typical[2] * np.array([typical[0], 1.0, typical[1]]) / np.maximum(levels, 1.0)
            mend &= (wanted < STRONGEST).all(axis=1) & (wanted > 1.0 / STRONGEST).all(axis=1)
            out[mend] = wanted[mend]
    return out


def field_gain(level: NDArray[np.float64], spec: InputSpec) -> NDArray[np.float64]:
    """`gains` of one field with the background ``level`` (3,)."""
    if spec.balance == "typical" and spec.light:  # and so are most fields, which a few numbers tell
        red, green, blue = level.tolist()
        low, _, high = spec.light
        white = max(green, 1.0)
        if (
            low[0] <= red / white <= high[0]
            and low[1] <= blue / white <= high[1]
            and low[2] <= green <= high[2]
        ):
            return np.array([1.0, 1.0, 1.0])
    gain: NDArray[np.float64] = gains(np.asarray(level)[None], spec)[0]
    return gain


def seen_levels(
    levels: NDArray[np.float64], gain: NDArray[np.float64], spec: InputSpec
) -> NDArray[np.float64]:
    """Backgrounds (n, 3) as the network sees them: mended by `gains` where ``spec.balance`` is ``"typical"``."""
    if spec.balance != "typical":
        return levels
    return np.asarray(np.minimum(levels * gain, 255.0), dtype=np.float64)


def check_crops(crops: NDArray[Any], spec: InputSpec) -> UInt8:
    """Crops as a contiguous array (n, S, S, C).

    Raises
    ------
    ValueError
        Crops of another type, channel count or size than the model's (any side divisible by 8 passes).
    """
    array = np.asarray(crops)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] != spec.channels or array.dtype != np.uint8:
        wanted = "(n, S, S, 3)" if spec.channels == 3 else "(n, S, S)"
        raise ValueError(f"expected uint8 crops of shape {wanted}, got {array.dtype} {np.shape(crops)}")
    # As networks refuse them, too, but a compiled one cannot say why.
    if array.shape[1] % SIDE or array.shape[2] % SIDE or 0 in array.shape[1:]:
        raise ValueError(
            f"sides of crops must be divisible by {SIDE}, got {array.shape[1]} x {array.shape[2]}"
        )
    return np.ascontiguousarray(array)


def level_table(spec: InputSpec) -> NDArray[np.float32]:
    """What `to_tensor` makes of each level of each channel, the same numbers: (256, C)."""
    x = np.repeat(np.arange(256, dtype=np.float32)[:, None], spec.channels, axis=1)
    x /= np.float32(255)
    x -= np.array(spec.mean, np.float32)
    x /= np.array(spec.std, np.float32)
    return x


def to_tensor(crops: NDArray[Any], spec: InputSpec, device: str = "cpu") -> Tensor:
    """Crops as a normalised float tensor (n, C, S, S); bytes travel to the device, not floats.

    Raises
    ------
    ValueError
        As `check_crops`.
    """
    import torch

    x = torch.from_numpy(check_crops(crops, spec)).to(device).permute(0, 3, 1, 2)
    return normalise(x.float() / 255, spec)


def normalise(x: Tensor, spec: InputSpec) -> Tensor:
    """(x - mean) / std for x in [0, 1], in the memory layout that convolutions like best."""
    import torch

    mean = torch.tensor(spec.mean, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)
    std = torch.tensor(spec.std, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def _whole(image: UInt8) -> Cells:
    """The picture as one cell: what is not black surround."""
    from fastpgs.cells import Cells
    from fastpgs.cells.table import measure

    labels = (image.max(axis=2) > 0).astype(np.int32)
    if not labels.any():
        labels[:] = 1
    cells = measure(image, labels, labels)
    # The crop is of the picture's middle, so the box is the picture.
    for axis, value in zip(range(4), (0, 0, *labels.shape), strict=True):
        cells.table[f"bbox-{axis}"][:] = value
    return Cells(cells.labels, cells.nuclei, cells.table)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
