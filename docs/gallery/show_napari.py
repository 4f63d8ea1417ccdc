"""
In napari
=========

The plugin comes with ``pip install 'fastpgs[napari]'`` and a Qt: two widgets, a sample, and a reader of the folders
that ``fastpgs classify`` writes. This opens napari on a synthetic smear, judges its cells (outlined by p_blast,
their table in *Layers, Visualize, Features table*) and lays live clusters over it: k and T move as you drag.
Research use only.

.. image:: ../images/napari.png
   :alt: napari with clusters from dark to bright and cells outlined by their p_blast

A window needs a screen, so this page is not run as the site is built. With a file name the script draws its window
there and closes it, under ``xvfb-run -a`` where there is no screen; the picture above was made so.
"""

# sphinx_gallery_thumbnail_path = 'images/napari.png'

from __future__ import annotations

import sys

from qtpy.QtWidgets import QApplication

import napari


def main() -> None:
    """Show the window, or draw it."""
    picture = sys.argv[1] if len(sys.argv) > 1 else None
    viewer = napari.Viewer(title="fastpgs", show=True)
    viewer.window.resize(1440, 800)
    viewer.open_sample("fastpgs", "smear")

    dock, judge = viewer.window.add_plugin_dock_widget(
        "fastpgs", "White cells and p_blast (research use only)"
    )
    dock.setMinimumWidth(360)
    judge.reset_choices()
    judge()

    _, segment = viewer.window.add_plugin_dock_widget("fastpgs", "Pivot-growing segmentation", tabify=False)
    segment.reset_choices()
    segment.k.value = 4

    clusters, cells = viewer.layers["synthetic smear: clusters"], viewer.layers["synthetic smear: cells"]
    clusters.opacity = 0.35
    cells.contour = 4
    cells.opacity = 1.0
    viewer.layers.move(viewer.layers.index(cells), len(viewer.layers))
    viewer.layers.selection.active = cells
    viewer.reset_view()
    if picture is None:
        napari.run()
        return
    QApplication.processEvents()
    viewer.screenshot(picture, canvas_only=False)
    viewer.close()


if __name__ == "__main__":
    main()
