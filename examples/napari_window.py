"""Open napari on a synthetic smear, with its cells and live clusters: python napari_window.py [PICTURE]

Needs `pip install 'fastpgs[napari]'` and a Qt. With a file name, the window is drawn there and closed; without a
screen, run it under `xvfb-run -a`.
"""

from __future__ import annotations

import sys

from qtpy.QtWidgets import QApplication

import napari


def main() -> None:
    """Show the window, or draw it."""
    picture = sys.argv[1] if len(sys.argv) > 1 else None
    viewer = napari.Viewer(title="fastpgs", show=True)
    viewer.window.resize(1280, 800)
    viewer.open_sample("fastpgs", "smear")
    _, judge = viewer.window.add_plugin_dock_widget("fastpgs", "White cells and p_blast (research use only)")
    judge.reset_choices()
    judge()
    _, segment = viewer.window.add_plugin_dock_widget("fastpgs", "Pivot-growing segmentation", tabify=False)
    segment.reset_choices()
    segment.k.value = 4
    viewer.layers["synthetic smear: cells"].contour = 2
    viewer.layers.move(viewer.layers.index("synthetic smear: cells"), len(viewer.layers))
    viewer.reset_view()
    if picture is None:
        napari.run()
        return
    QApplication.processEvents()
    viewer.screenshot(picture, canvas_only=False)
    viewer.close()


if __name__ == "__main__":
    main()
