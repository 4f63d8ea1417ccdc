"""A smear that the package draws, with the cells it drew."""

from __future__ import annotations

from typing import Any

__all__ = ["smear"]


def smear() -> list[tuple[Any, dict[str, Any], str]]:
    """Layers of a synthetic smear: the image, and its cells as labels (hidden)."""
    from fastpgs import synth

    drawn = synth.smear(seed=1)
    return [
        (drawn.image, {"name": "synthetic smear"}, "image"),
        (drawn.cells, {"name": "drawn cells", "visible": False}, "labels"),
    ]
