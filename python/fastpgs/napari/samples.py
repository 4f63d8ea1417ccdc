"""A smear that the package draws, with the cells it drew."""

from __future__ import annotations

from typing import Any

__all__ = ["smear"]


def smear() -> list[tuple[Any, dict[str, Any], str]]:
    """Layers of a synthetic smear: the image, and its cells as labels (hidden)."""
    from fastpgs import synth

    drawn = synth.smear(seed=1)
    placed = {"scale": (drawn.pixel_size,) * 2, "units": ("micrometer",) * 2}
    return [
        (drawn.image, {"name": "synthetic smear", **placed}, "image"),
        (drawn.cells, {"name": "drawn cells", "visible": False, **placed}, "labels"),
    ]
