"""Where pivots start (step 1), in NumPy: the part of the reference that draws random numbers.

References
----------
.. [1] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
.. [2] S. Lattanzi, C. Sohler, "A better k-means++ algorithm via local search", ICML 2019.
.. [3] G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
   doi:10.1145/2660193.2660195.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _linear, _problem

if TYPE_CHECKING:
    from .reference import Space

CANDIDATES = 4096
# A search by swaps looks at so many candidates a pivot, and tries so many swaps a pivot, but not more than that.
SEARCHED, SWAPS, MOST_SWAPS = 128, 2, 32
SETTLING = 2  # iterations after each swap

Int = npt.NDArray[np.int64]
Values = npt.NDArray[Any]


class SplitMix64:
    """A SplitMix64 sequence [3]_; ``below`` is unbiased to within 2⁻⁶⁴ of the range."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def next(self) -> int:
        mask = 2**64 - 1
        self._state = (self._state + 0x9E3779B97F4A7C15) & mask
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        return (self.next() * bound) >> 64

    def uniform(self) -> float:
        return (self.next() >> 11) * 2.0**-53


def _candidates(space: Space, rng: SplitMix64) -> Int:
    """At most 4096 pixels for the seeding, one drawn from each of as many equal runs of pixels."""
    n = len(space.index)
    m = min(n, CANDIDATES)
    if m == n:
        return space.index
    ranks = [t * n // m + rng.below((t + 1) * n // m - t * n // m) for t in range(m)]
    return space.index[ranks]


def _weighted_pick(weights: Values, rng: SplitMix64) -> int:
    """Draw an index with probability proportional to its weight."""
    cumulative = np.cumsum(weights)
    if weights.dtype.kind == "i":
        return int(np.searchsorted(cumulative, rng.below(int(cumulative[-1])), side="right"))
    pick = int(np.searchsorted(cumulative, rng.uniform() * cumulative[-1], side="right"))
    return min(pick, int(np.flatnonzero(weights)[-1]))


def plus_plus(space: Space, k: int, rng: SplitMix64) -> list[int]:
    """Greedy k-medoids++ [1]_: D² weighting, the best of 2 + ⌊ln k⌋ draws each time; then `swap`."""
    pool = candidates = _candidates(space, rng)
    pivots = [int(pool[rng.below(len(pool))])]
    z = space.z[pool]
    d2 = space.d2(z, space.z[pivots[0]])
    trials = 2 + int(math.log(k))
    while len(pivots) < k:
        if not d2.any():  # the pool has no further colour: look at every pixel
            if len(pool) == len(space.index):
                raise _problem.too_few_distinct(k, len(pivots))
            pool = space.index
            z = space.z[pool]
            d2 = functools.reduce(np.minimum, [space.d2(z, space.z[p]) for p in pivots])
            continue
        best: tuple[Any, int, Values] | None = None
        for _ in range(trials):
            pick = _weighted_pick(d2, rng)
            closer = np.minimum(d2, space.d2(z, z[pick]))
            potential = np.cumsum(closer)[-1]
            if best is None or potential < best[0]:
                best = (potential, pick, closer)
        assert best is not None
        pivots.append(int(pool[best[1]]))
        d2 = best[2]
    return swap(space, candidates, pivots, rng) if k > 1 else pivots


def uniform(space: Space, k: int, rng: SplitMix64) -> list[int]:
    """Step 1 to the letter: random pixels, no two alike."""
    pivots: list[int] = []
    free = np.ones(len(space.index), dtype=bool)
    z = space.z[space.index]
    while len(pivots) < k:
        ranks = np.flatnonzero(free)
        if len(ranks) == 0:
            raise _problem.too_few_distinct(k, len(pivots))
        pivots.append(int(space.index[ranks[rng.below(len(ranks))]]))
        free &= (z != space.z[pivots[-1]]).any(axis=1)
    return pivots


class _Settled(NamedTuple):
    """Pivots (raster indices), squared distances (k, n) of points to them, and the sum of the least."""

    pivots: list[int]
    d2: Values
    objective: Any


def swap(space: Space, candidates: Int, pivots: list[int], rng: SplitMix64) -> list[int]:
    """Local search [2]_ among some of the candidates: alternation alone cannot leave a poor start.

    A point drawn with D² weighting takes the place of the pivot that is missed least, two iterations of Eqs. 4
    and 5 follow, and the result is kept if its objective is lower.
    """
    k = len(pivots)
    points = candidates[:: -(-len(candidates) // (SEARCHED * k))]
    z = space.z[points]
    now = _settle(space, points, pivots)
    everyone = np.arange(len(points))
    for _ in range(min(SWAPS * k, MOST_SWAPS)):
        own = np.argmin(now.d2, axis=0)
        nearest = now.d2[own, everyone]
        if not nearest.any():
            break
        second = np.partition(now.d2, 1, axis=0)[1]
        pick = _weighted_pick(nearest, rng)
        drawn = space.d2(z, z[pick])
        missed = np.bincount(own, np.minimum(second, drawn) - np.minimum(nearest, drawn), minlength=k)
        changed = list(now.pivots)
        changed[int(np.argmin(missed))] = int(points[pick])
        trial = _settle(space, points, changed)
        if trial.objective < now.objective:
            now = trial
    return now.pivots


def _settle(space: Space, points: Int, pivots: list[int]) -> _Settled:
    """A few iterations of the method on `points` alone."""
    z = space.z[points]
    grain = _linear.sum_grain(float(np.abs(z).max()), len(points))
    for _ in range(SETTLING):
        own = np.argmin(np.stack([space.d2(z, space.z[p]) for p in pivots]), axis=0)
        members = [points[own == j] for j in range(len(pivots))]
        pivots = [space.medoid(m, grain) if len(m) else p for m, p in zip(members, pivots, strict=True)]
    d2 = np.stack([space.d2(z, space.z[p]) for p in pivots])
    return _Settled(pivots, d2, np.cumsum(d2.min(axis=0))[-1])
