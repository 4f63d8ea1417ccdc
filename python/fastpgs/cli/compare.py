"""``fastpgs compare``: Tables 5 and 6 on your images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from fastpgs.cli import _training as option


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("compare")
    def compare_command(
        data: option.Labelled,
        out: Annotated[Path, typer.Option(help="Folder for table, plot and finished rows.")],
        family: Annotated[str, typer.Option(help="classical: Table 5; deep: Table 6.")] = "classical",
        layout: option.Layout = "auto",
        blocks: option.Blocks = 10,
        limit: option.Limit = 0,
        only: Annotated[
            list[str] | None, typer.Option(metavar="NAME", help="Row by its name in the table; repeatable.")
        ] = None,
        folds: Annotated[int, typer.Option(help="Folds the images are divided into.")] = 5,
        use_folds: Annotated[int, typer.Option(help="Run only the first few of them; 0: all.")] = 0,
        norm: option.Norm = "batch",
        width: option.Width = 32,
        size: option.Size = 48,
        colour: option.Colour = "rgb",
        source: option.Source = "cells",
        masked: option.Masked = False,
        denoise: option.Denoise = "none",
        scale: option.Scale = 1.0,
        epochs: Annotated[int, typer.Option(help="Of deep rows.")] = 4,
        batch_size: option.BatchSize = 32,
        learning_rate: option.LearningRate = 1e-3,
        cells_per_image: option.CellsPerImage = 2,
        views: option.Views = 0,
        allow_leakage: option.AllowLeakage = False,
        seed: option.Seed = 0,
        threads: option.Threads = 0,
        device: option.Device = "auto",
        cache: option.Cache = None,
        resume: Annotated[bool, typer.Option(help="Take finished rows from the folder.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
        quiet: option.Quiet = False,
    ) -> None:
        """Compare classifiers on the same grouped folds, the paper's figures beside ours."""
        from fastpgs.cli._console import print_json
        from fastpgs.inference.precision import choose_device
        from fastpgs.inference.preprocess import InputSpec
        from fastpgs.training.compare import CompareOptions, compare
        from fastpgs.training.config import TrainConfig
        from fastpgs.training.datasets import read_dataset, thin_out
        from fastpgs.training.progress import Progress

        try:
            found = read_dataset(data, cast(Any, layout), blocks=blocks)
            with Progress(quiet) as progress:
                rows = compare(
                    found if limit == 0 else thin_out(found, limit),
                    out,
                    InputSpec(
                        size=size,
                        colour=colour,
                        source=source,
                        masked=masked,
                        scale=scale,
                        balance="none",
                        denoise=denoise,
                    ),
                    TrainConfig(
                        network="unet",
                        options={"norm": norm, "width": width},
                        epochs=epochs,
                        batch_size=batch_size,
                        learning_rate=learning_rate,
                        cells_per_image=cells_per_image,
                        seed=seed,
                        threads=threads,
                    ),
                    CompareOptions(
                        family=family,
                        folds=folds,
                        use_folds=use_folds,
                        views=views,
                        allow_leakage=allow_leakage,
                        only=tuple(only or ()),
                        seed=seed,
                    ),
                    cache=cache,
                    resume=resume,
                    device=choose_device(device),
                    report=progress,
                )
        except (ValueError, FileNotFoundError) as error:
            raise typer.BadParameter(str(error)) from error
        if as_json:
            print_json({"leaky": allow_leakage, "rows": rows})
        elif not quiet:
            option.warn_of_leakage(allow_leakage)
            typer.echo((out / f"{family}.md").read_text())
