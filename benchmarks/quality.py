"""How good the pivots are: objective J of Eq. 3 beside FasterPAM's, on the same subsamples of pixels.

python benchmarks/quality.py [--points 1000] [--images 6] [--seeds 4]

FasterPAM (Schubert, Rousseeuw, 2021, doi:10.1016/j.is.2021.101804) searches swaps over all pairs, in time and
memory of the square of the points: hence subsamples. Its result here is the best of ten starts.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np

import fastpgs
from fastpgs import synth

STARTS = (1, 5, 10, 20)


def sample(seed: int, points: int) -> np.ndarray[Any, Any]:
    """Pixels of a synthetic smear, as an image of one row."""
    pixels = synth.smear((384, 384), seed=seed).image.reshape(-1, 3)
    chosen = np.random.default_rng(seed).choice(len(pixels), points, replace=False)
    return np.ascontiguousarray(pixels[np.sort(chosen)][None])


def best_of_fasterpam(image: np.ndarray[Any, Any], k: int) -> float:
    """Return the least sum of squared distances to medoids that FasterPAM finds from ten starts."""
    import kmedoids

    x = image[0].astype(np.float64)
    d2 = ((x[:, None] - x) ** 2).sum(axis=2)
    return min(float(kmedoids.fasterpam(d2, k, random_state=s).loss) for s in range(10))


def excess(image: np.ndarray[Any, Any], k: int, least: float, n_init: int, seed: int) -> float:
    """Return by how much J is above FasterPAM's, as a fraction of it."""
    model = fastpgs.PivotGrowingSegmentation(k, features="rgb", n_init=n_init, seed=seed)
    return float(model.fit(image).inertia_) / least - 1.0


def main() -> None:
    """Print one line a k: mean and worst excess of each number of starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    warnings.simplefilter("ignore", fastpgs.EmptyClusterWarning)
    print(
        f"J above the best of ten FasterPAM, {args.images} images x {args.seeds} seeds, {args.points} points"
    )
    print("k    " + "  ".join(f"n_init={s:<3d} mean  worst" for s in STARTS))
    every: dict[int, list[float]] = {s: [] for s in STARTS}
    for k in (2, 3, 4, 5, 8):
        found: dict[int, list[float]] = {s: [] for s in STARTS}
        for image_seed in range(args.images):
            image = sample(image_seed, args.points)
            least = best_of_fasterpam(image, k)
            for n_init in STARTS:
                found[n_init] += [excess(image, k, least, n_init, seed) for seed in range(args.seeds)]
        for n_init in STARTS:
            every[n_init] += found[n_init]
        print(f"{k:<3d}  " + "  ".join(_cell(found[s]) for s in STARTS), flush=True)
    print("all  " + "  ".join(_cell(every[s]) for s in STARTS))


def _cell(values: list[float]) -> str:
    return f"        {100 * np.mean(values):6.2f}% {100 * np.max(values):6.2f}%"


if __name__ == "__main__":
    main()
