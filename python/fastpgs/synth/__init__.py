"""Synthetic blood smears with exact ground truth, from NumPy alone.

`smear` draws a whole field, `single_cell` one cell on black, `write_cnmc_tree` a small folder in the layout of
C-NMC 2019, and a `Slide` is read window by window. The pictures serve tests, documentation and
demonstrations; they are no substitute for real smears in training or in evaluation.
"""

from .cnmc import CnmcTree, write_cnmc_tree
from .field import NORMAL_MIX, Smear, single_cell, smear
from .leukocytes import KINDS, CellKind
from .slide import Slide, SlideCells
from .stains import STAINS, Stain

__all__ = [
    "KINDS",
    "NORMAL_MIX",
    "STAINS",
    "CellKind",
    "CnmcTree",
    "Slide",
    "SlideCells",
    "Smear",
    "Stain",
    "single_cell",
    "smear",
    "write_cnmc_tree",
]
