"""Cells as napari shows them: labels with a table of features, coloured by p_blast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastpgs.report.colours import p_colour

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Layer", "cell_layer", "cluster_colours", "colours", "feature_table"]

Layer = tuple[Any, dict[str, Any], str]


def feature_table(table: dict[str, npt.NDArray[Any]]) -> DataFrame:
    """One row a label, 0 (background) first, as napari pairs rows with labels by the column ``index``."""
    import pandas

    columns: dict[str, Any] = {"index": np.concatenate([[0], table["label"]])}
    for name, values in table.items():
        if name != "label":
            kind = values.dtype.kind
            first = "" if kind in "UO" else False if kind == "b" else np.nan
            columns[name] = [first, *values.tolist()]
    return pandas.DataFrame(columns)


def colours(p_blast: npt.ArrayLike) -> Any:
    """A colour map of labels 1 to n by their p_blast, the report's colours."""
    from napari.utils.colormaps import DirectLabelColormap

    by_label: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for label, p in enumerate(np.asarray(p_blast, float).tolist(), start=1):
        by_label[label] = np.array([*p_colour(p), 255]) / 255
    return DirectLabelColormap(color_dict=by_label)


def cluster_colours(k: int) -> Any:
    """A colour map of clusters 1 (darkest) to k (brightest): dark to bright, so that the order can be seen.

    Label 0, beyond the threshold, is transparent; the brightest, mostly glass, nearly so.
    """
    from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

    scale = ensure_colormap("viridis").map(np.linspace(0.0, 1.0, k))
    scale[-1, 3] = 0.25
    by_label: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    by_label.update(enumerate(scale, start=1))
    return DirectLabelColormap(color_dict=by_label)


def cell_layer(
    name: str, labels: npt.NDArray[np.integer], table: dict[str, npt.NDArray[Any]], p_column: str = "p_blast"
) -> Layer:
    """Cells as a labels layer; coloured by p_blast where the table has it."""
    options: dict[str, Any] = {"name": name, "features": feature_table(table), "opacity": 0.6}
    if p_column in table:
        options["colormap"] = colours(table[p_column])
    return labels, options, "labels"
