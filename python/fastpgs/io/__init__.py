"""Reading microscope images safely, and finding them."""

from __future__ import annotations

from .images import DEFAULT_MAX_PIXELS, FirstFrameWarning, ImageReadError, read_image
from .inputs import IMAGE_SUFFIXES, Input, find_inputs, read_list, read_manifest

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "IMAGE_SUFFIXES",
    "FirstFrameWarning",
    "ImageReadError",
    "Input",
    "find_inputs",
    "read_image",
    "read_list",
    "read_manifest",
]
