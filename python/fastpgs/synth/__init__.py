"""Synthetic blood smears with exact ground truth, from NumPy alone.

`smear` draws a whole field, `single_cell` one cell on black. The pictures serve tests, documentation and
demonstrations; they are no substitute for real smears in training or in evaluation.
"""

from .field import NORMAL_MIX, Smear, single_cell, smear
from .leukocytes import KINDS, CellKind
from .stains import STAINS, Stain

__all__ = ["KINDS", "NORMAL_MIX", "STAINS", "CellKind", "Smear", "Stain", "single_cell", "smear"]
