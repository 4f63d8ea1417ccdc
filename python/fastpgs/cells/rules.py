"""The rules by which cells are found; the core (cpp/src/search.cpp and what it calls) follows them.

One set for every stain, camera and magnification. docs/cells.md says what else was tried, with figures.
"""

from __future__ import annotations

from typing import NamedTuple

from .. import _core

__all__ = ["RULES", "CellRules", "CytoplasmRules", "NucleusRules", "StainRules"]


class StainRules(NamedTuple):
    """Rules for stain features, which are documented in `fastpgs.cells.stain`."""

    offset: int = 64  # keeps u and v, which may be negative, in uint8
    dark: int = 12  # levels at or below which a pixel of a black surround lies, JPEG noise included
    rim: float = 2.0  # width of a field of view's blurred rim, pixels
    # Light that differs by more than this (in logarithms, times the share of the picture that shows glass) is evened,
    # if glass lies on a smooth surface,
    uneven: float = 0.12
    shadow: float = 0.03  # below which by more than this (in logarithms) lie cells
    rough: float = 0.016  # and from which it strays by no more than this, root mean square,
    rough_part: float = 0.08  # or this share of what the light differs by


class NucleusRules(NamedTuple):
    """Rules for nuclei. Lengths are fractions of the image's own typical nuclear radius, areas of its area."""

    share: float = 0.55  # a pivot is nuclear if its score is above this share of the highest pivot's
    # Where no pivot reaches this score (salmon red cells come to 85) only purple ones count.
    sure: float = 100.0
    purple_blue: float = 0.75  # a pivot with more than this share of u in g
    purple_red: float = 0.08  # and of v in g is purple
    pale: float = 0.4  # the share of a purple pivot
    lowest: float = 40.0  # and above this score: below it there is no nucleus in the image
    stained: float = 0.4  # a pivot with more than this share of the greatest g is no glass
    redder: float = 0.05  # a shift towards red (share of v in g) against paler pivots tells a second dye
    violet: float = 0.52  # where u takes at least this share of g
    likely: float = 60.0  # and the score is above this; where none is, light may have washed all colours out
    faint: float = 30.0  # then a pivot above this counts
    vivid_blue: float = 0.8  # with more than this share of u in g
    vivid_red: float = 0.25  # and of v
    faded: float = 50.0  # in a faded stain the highest score comes to this,
    faded_part: float = 0.04  # its pivot has this share of all pixels,
    faded_stained: float = 0.2  # and of the other pivots with more than this share of the greatest g
    faded_rest: float = 0.5  # the largest at most this share of the score: red cells alone have no such gap
    grey: float = 0.12  # a pivot with a smaller share of v, and no redder than paler ones, is red cells
    greyer: float = 0.1  # if the highest pivot's share of v is larger by this
    opening: float = 0.1  # bridges narrower than twice this are cut
    coarse: float = 0.75  # where that leaves less than this share of the pixels, chromatin is a coarse mesh,
    coarse_closing: float = 0.06  # and what is narrower than twice this is closed first
    body: float = 0.25  # a part whose inscribed radius is smaller is a platelet or precipitate
    part: float = 0.05  # and so is a part smaller than this
    hole: float = 0.01  # larger holes are gaps between cells or lobes
    edge: float = 0.535  # where the edge of a nucleus lies between cytoplasm (0) and nucleus (1)
    closing: float = 0.04  # notches of the chromatin's texture are closed
    smooth: float = 0.06  # opening of the single nucleus
    lobe: float = 0.1  # a lobe holds at least this share of the largest lobe
    contrast: float = 0.25  # two depths this far apart (share of the deeper one) are nucleus and cytoplasm
    skin: float = 0.15  # the blurred edge of a cell, left out where its depths are compared
    vague: float = 2.75  # spreads by which what lies along an outline differs, lest it is doubted
    rim: float = 0.04  # holes of a single nucleus: share of its area


class CytoplasmRules(NamedTuple):
    """Rules for cytoplasm. Distances from the nucleus are in radii of it, other lengths in typical radii."""

    edge: float = 0.42  # where a cell's edge lies between background (0) and cytoplasm (1)
    faint: float = 0.18  # share of the nucleus's strength from which on a pixel counts as stained
    near: float = 0.6  # cytoplasm is looked for within this distance
    far: float = 2.0  # red cells are looked for beyond this distance
    frame: float = 1.15  # or, in a tight picture, beyond this where they are cut by the frame
    blob: float = 0.2  # red cells are wider than twice this
    red: float = 0.12  # rims of cells narrower than twice this are no red cells
    opening: float = 0.1  # outgrowths narrower than twice this are cut
    tongue_core: float = 0.65  # an opening with a disc of so many inscribed radii of the cell leaves its core
    tongue_length: float = 0.35  # outgrowths of the core longer than this, in inscribed radii,
    tongue_neck: float = 0.9  # and than this many times the contact by which they hold, are neighbours
    hole: float = 0.01  # larger holes, in typical nuclear areas, may be gaps between cells
    alone: float = 0.92  # stained blobs of this solidity that touch nothing need no telling apart either
    alone_opening: float = 0.3  # where no colour tells, contacts narrower than twice this do not count
    outline: float = 0.1  # notches and outgrowths narrower than twice this, in inscribed radii of a cell, go
    vacuole: float = 0.1  # larger holes of a single cell are no vacuoles
    pale: float = 0.75  # red cells paler than this share of the cytoplasm need no telling apart
    outlier: float = 6.0  # squared Mahalanobis distance from which on a colour is not a red cell's
    even: float = 1.2  # distance at which cytoplasm and red cell are equally likely
    reach: float = 2.5  # cytoplasm ends at this distance at the latest
    halo: float = 0.2  # and at this one where its colour cannot be told
    most_odds: float = 6.0  # no single colour decides more surely, in logits


class CellRules(NamedTuple):
    """Rules for cells, told apart and each by itself."""

    # A cell's outline is nearly convex. One that is not has grown over its neighbours, and grows less far.
    solid: float = 0.82
    reaches: tuple[float, ...] = (1.2, 0.8, 0.5, 0.3, 0.15, 0.0)
    nearly_convex: float = 0.92  # solidity of what is one cell for sure: two touching discs reach 0.88
    contact: float = (
        0.8  # what touches along less of the smaller one's width is one cell only if it is that solid
    )
    many: int = 8  # nuclei or lobes from which on their typical size is that of a nucleus
    largest: float = 1.1  # typical areas that lobes of one nucleus may have together
    faintest: float = 0.5  # of the typical depth of a nucleus: paler ones are clots
    pale: float = 0.85  # of it: paler ones are burst cells,
    blurred: float = 0.6  # if at their outline depth rises by less than this share of what is typical, too
    alone: float = 0.06  # of a single cell on black its nucleus takes more, even its largest lobe,
    alone_large: float = 0.15  # and of one that fills more than half of the picture, as fields of view do
    smallest: float = 0.15  # of the typical nuclear area: less is no cell


RULES = _core.SearchRules(
    StainRules()._asdict(), NucleusRules()._asdict(), CytoplasmRules()._asdict(), CellRules()._asdict()
)
