"""``fastpgs segment``: Pivot-Growing Segmentation of one image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

EXAMPLES = """
Examples:

  fastpgs segment smear.png --k 3 --out labels.png

  fastpgs segment smear.tif --k 4 --threshold 400 --connectivity 1 --out labels.tif --json

  fastpgs segment smear.png --init 10,20 --init 200,31 --k 2 --out labels.npy
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("segment", epilog=EXAMPLES)
    def segment(
        image: Annotated[Path, typer.Argument(help="Image file, or .npy array (H, W) or (H, W, C).")],
        out: Annotated[
            Path | None, typer.Option(help="Labels to write: .png (palette), .tif or .npy.")
        ] = None,
        k: Annotated[int, typer.Option("--k", "-k", help="Number of pivots.")] = 3,
        threshold: Annotated[
            float | None,
            typer.Option(help="Largest squared distance to a pivot, in feature units; default: no limit."),
        ] = None,
        features: Annotated[str, typer.Option(help="lab, rgb, gray, xy or raw.")] = "lab",
        metric: Annotated[str, typer.Option(help="sqeuclidean or mahalanobis.")] = "sqeuclidean",
        update: Annotated[str, typer.Option(help="medoid or mean.")] = "medoid",
        connectivity: Annotated[
            int | None, typer.Option(help="Grow through 4 (1) or 8 (2) neighbours; default: anywhere.")
        ] = None,
        init: Annotated[
            list[str] | None,
            typer.Option(
                metavar="HOW", help="k-medoids++, random, or a pivot as row,col (repeat it k times)."
            ),
        ] = None,
        n_init: Annotated[int, typer.Option(help="Starts, of which the best is kept.")] = 1,
        max_iter: Annotated[int, typer.Option(help="Most iterations.")] = 100,
        tol: Annotated[float, typer.Option(help="Largest move of a pivot that counts as none.")] = 0.0,
        spatial_weight: Annotated[
            float, typer.Option(help="Weight of the position beside the colour.")
        ] = 0.0,
        mask: Annotated[Path | None, typer.Option(help="Image; where it is not 0, pixels are used.")] = None,
        channel_axis: Annotated[int, typer.Option(help="Axis of the channels of a .npy array.")] = -1,
        seed: Annotated[int, typer.Option(help="Seed of the start.")] = 0,
        threads: Annotated[int | None, typer.Option(help="Threads; default: all permitted.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        """Segment an image into k clusters of colour; label 1 is the darkest (in stained smears: nuclei)."""
        from fastpgs import PivotGrowingSegmentation
        from fastpgs.cli._console import print_json
        from fastpgs.io.labels import read_array, read_mask, write_label_image

        start: Any = _init(init)
        model = PivotGrowingSegmentation(
            k,
            max_iter,
            threshold,
            features=features,  # type: ignore[arg-type]
            metric=metric,  # type: ignore[arg-type]
            update=update,  # type: ignore[arg-type]
            connectivity=connectivity,
            init=start,
            n_init=n_init,
            tol=tol,
            spatial_weight=spatial_weight,
            channel_axis=channel_axis,
            seed=seed,
            num_threads=threads,
        )
        model.fit(read_array(image), mask=None if mask is None else read_mask(mask))
        if out is not None:
            write_label_image(out, model.labels_)
        pixels = [int(n) for n in (model.labels_[..., None] == range(k + 1)).sum(axis=(0, 1))]
        summary = {
            "shape": list(model.labels_.shape),
            "pixels": pixels,
            "pivots": model.pivot_points_.tolist(),
            "inertia": float(model.inertia_),
            "iterations": int(model.n_iter_),
            "converged": bool(model.converged_),
        }
        if as_json:
            print_json(summary)
        elif not quiet:
            state = "converged" if model.converged_ else "not converged"
            typer.echo(f"{state} after {model.n_iter_} iterations, J = {model.inertia_:.6g}")
            for label, (row, col) in enumerate(model.pivot_points_.tolist(), 1):
                share = pixels[label] / model.labels_.size
                typer.echo(
                    f"label {label}: pivot at row {row}, col {col}; {pixels[label]:,} pixels ({share:.1%})"
                )
            if pixels[0]:
                typer.echo(f"label 0: {pixels[0]:,} pixels reached by no pivot, or masked")


def _init(values: list[str] | None) -> str | list[list[int]]:
    if not values:
        return "k-medoids++"
    if len(values) == 1 and "," not in values[0]:
        return values[0]
    try:
        return [[int(part) for part in value.split(",", 1)] for value in values]
    except ValueError:
        raise typer.BadParameter(
            f"expected k-medoids++, random, or row,col pairs, got {values}", param_hint="--init"
        ) from None
