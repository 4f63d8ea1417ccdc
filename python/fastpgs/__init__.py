"""fastpgs: find and judge leukemic blasts in stained blood smears.

A research tool, not a medical device. ``segment`` and ``find_cells`` need NumPy alone. Everything is imported when
it is first used, NumPy too, and what needs more says which extra to install.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

try:
    from . import _core
except ImportError as error:  # a source tree that was never built
    raise ImportError(
        f"the C++ core of fastpgs is missing ({error}); install the package with 'pip install .' in its folder"
    ) from error

if TYPE_CHECKING:
    from . import reference
    from .cells import Cells, crop_cells, find_cells
    from .estimator import PivotGrowingSegmentation
    from .inference.classifier import BlastClassifier
    from .inference.model import load_model
    from .inference.pipeline import classify
    from .inference.results import Result
    from .segmentation import (
        ConvergenceWarning,
        EmptyClusterWarning,
        build_info,
        segment,
        segment_batch,
    )

__version__: str = _core.build_info()["version"]

__all__ = [
    "BlastClassifier",
    "Cells",
    "ConvergenceWarning",
    "EmptyClusterWarning",
    "PivotGrowingSegmentation",
    "Result",
    "__version__",
    "build_info",
    "classify",
    "crop_cells",
    "find_cells",
    "load_model",
    "reference",
    "segment",
    "segment_batch",
]

# Public name -> (module, extra that brings what the module needs; none if NumPy is enough).
_LAZY: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(
        ("ConvergenceWarning", "EmptyClusterWarning", "build_info", "segment", "segment_batch"),
        ("segmentation", None),
    ),
    "PivotGrowingSegmentation": ("estimator", None),
    **dict.fromkeys(("Cells", "crop_cells", "find_cells"), ("cells", None)),
    "BlastClassifier": ("inference.classifier", "classify"),
    "load_model": ("inference.model", "classify"),
    "classify": ("inference.pipeline", "classify"),
    "Result": ("inference.results", "classify"),
}


def __getattr__(name: str) -> Any:
    if name == "reference":
        return importlib.import_module(".reference", __name__)
    if name not in _LAZY:
        raise AttributeError(f"module 'fastpgs' has no attribute {name!r}")
    module, extra = _LAZY[name]
    try:
        value = getattr(importlib.import_module(f".{module}", __name__), name)
    except ModuleNotFoundError as error:
        what = error.name if extra is None else f"'fastpgs[{extra}]'"
        raise ModuleNotFoundError(
            f"fastpgs.{name} needs the package {error.name!r}; install it with: pip install {what}",
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
