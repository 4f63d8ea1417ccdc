"""The widgets: live Pivot-Growing Segmentation, and cells with their probability of being a blast."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from magicgui import magic_factory

from fastpgs.napari.layers import Layer, cell_layer, cluster_colours

if TYPE_CHECKING:
    import napari.layers
    import napari.types

__all__ = [
    "UNLIMITED",
    "cells_widget",
    "judge_cells",
    "pixel_size_of",
    "segment_image",
    "segment_widget",
    "threshold_of",
]

UNLIMITED = 40
"""Position of the threshold's slider that sets no limit."""

GROW = {"anywhere (Eq. 6)": None, "through 4 neighbours": 1, "through 8 neighbours": 2}


def threshold_of(position: int) -> float | None:
    """T in squared CIELAB units of a slider position: 4 to 3,444, four steps an octave; None at the end."""
    return None if position >= UNLIMITED else float(round(4 * 2 ** (position / 4)))


def _pixels(image: Any) -> npt.NDArray[Any]:
    pixels = np.asarray(image.data)
    if pixels.ndim == 3 and not image.rgb:
        raise ValueError(
            f"expected an (H, W) or RGB image, got a stack of shape {pixels.shape}; pick a slice"
        )
    if pixels.ndim not in (2, 3):
        raise ValueError(f"expected an (H, W) or RGB image, got shape {pixels.shape}")
    return pixels[..., :3] if pixels.ndim == 3 else pixels


def _placed(image: Any, shown: Any = None) -> dict[str, Any]:
    """Where a layer lies: what is found in it lies there, too. Nothing where ``shown`` does already."""
    if shown is not None and _place(shown) == _place(image):
        return {}  # napari takes its time over each of these
    names = ("scale", "translate", "rotate", "shear", "affine", "units")  # the last since napari 0.5.3
    return {name: getattr(image, name) for name in names if hasattr(image, name)}


def _place(layer: Any) -> tuple[Any, ...]:
    moves = (layer.scale, layer.translate, layer.rotate, layer.shear, layer.affine.affine_matrix)
    return (*(np.asarray(one).tolist() for one in moves), getattr(layer, "units", None))


def pixel_size_of(image: Any) -> float | None:
    """Micrometres a pixel of an image layer, if its scale is in a unit of length; else None."""
    try:
        return float((float(image.scale[-1]) * image.units[-1]).to("micrometer").magnitude)
    except (AttributeError, TypeError):  # no unit, or one that is no length, such as napari's own: the pixel
        return None


def segment_image(
    image: napari.layers.Image,
    k: int = 3,
    threshold: int = UNLIMITED,
    grow: str = "anywhere (Eq. 6)",
) -> napari.types.LayerDataTuple:
    """Cluster the pixels of an image around k pivots; label 1 is the darkest cluster."""
    import fastpgs

    pixels = _pixels(image)
    labels = fastpgs.segment(
        pixels,
        k,
        threshold=threshold_of(threshold),
        connectivity=GROW[grow],
        # A small picture is done in less time than threads on a busy machine take to meet.
        num_threads=1 if pixels.shape[0] * pixels.shape[1] <= 1 << 20 else None,
    )
    name = f"{image.name}: clusters"
    shown = _shown(name)
    options: dict[str, Any] = {"name": name, "metadata": {"k": k}, **_placed(image, shown)}
    if shown is None:
        options["opacity"] = 0.5  # later changes leave what the user chose
    if shown is None or shown.metadata.get("k") != k:
        options["colormap"] = cluster_colours(k)
    return labels, options, "labels"


def _shown(name: str) -> Any:
    """The layer of this name in the viewer, or None."""
    from napari.viewer import current_viewer

    viewer = current_viewer()
    return viewer.layers[name] if viewer is not None and name in viewer.layers else None


segment_widget = magic_factory(
    segment_image,
    auto_call=True,
    k={"widget_type": "Slider", "min": 2, "max": 12, "label": "pivots k"},
    threshold={
        "widget_type": "Slider",
        "min": 0,
        "max": UNLIMITED,
        "label": "threshold T",
        "tooltip": "T = 4 * 2^(n/4) squared CIELAB units; no limit at the right end",
    },
    grow={"choices": list(GROW)},
)


@lru_cache(maxsize=1)
def _model(name: str) -> Any:
    from fastpgs import load_model

    return load_model(name)


def judge_cells(
    image: napari.layers.Image, judge: bool = True, model: str = "unet-plr", pixel_size: float = 0.0
) -> list[napari.types.LayerDataTuple]:
    """Find the white cells; judge them if asked. Research use only, not for diagnosis.

    ``pixel_size`` is in micrometres; 0 is what the layer says, if its scale is in a unit of length, else what the
    model was trained at.
    """
    pixels = _pixels(image)
    if not judge:
        from fastpgs import find_cells

        cells = find_cells(pixels)
        table = dict(cells.table)
    else:
        judged = _model(model).judge(pixels, pixel_size=pixel_size or pixel_size_of(image))
        cells = judged.cells
        p = judged.scores.p
        table = {
            "label": cells.table["label"],
            "p_blast": p.astype(np.float64),
            "call": np.asarray(_model(model).call(p), dtype=str),
            **{name: values for name, values in cells.table.items() if name != "label"},
        }
    layers: list[Layer] = [
        (cells.nuclei, {"name": f"{image.name}: nuclei", "opacity": 0.5, "visible": False}, "labels"),
        cell_layer(f"{image.name}: cells", cells.labels, table),
    ]
    for _, options, _ in layers:
        options |= _placed(image)
    return layers


cells_widget = magic_factory(
    judge_cells,
    call_button="Find cells (research use only)",
    judge={"label": "judge them: p-blast"},
    model={"tooltip": "a model of the package or a model folder"},
    pixel_size={
        "label": "pixel size, µm",
        "min": 0.0,
        "max": 100.0,
        "step": 0.01,
        "tooltip": "0: what the layer's scale says, else that of the model's training",
    },
)
