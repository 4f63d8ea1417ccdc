"""``fastpgs compare``: Tables 5 and 6 on your images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("compare")
    def compare_command(
        data: Annotated[Path, typer.Argument(help="Class folders, a CSV manifest, or C-NMC 2019.")],
        out: Annotated[Path, typer.Option(help="Folder for table, plot and finished rows.")],
        family: Annotated[str, typer.Option(help="classical: Table 5; deep: Table 6.")] = "classical",
        layout: Annotated[str, typer.Option(help="auto, folder, manifest or cnmc.")] = "auto",
        blocks: Annotated[
            int, typer.Option(help="Contiguous blocks a class where there are no patient ids.")
        ] = 10,
        limit: Annotated[int, typer.Option(help="Images of each class, evenly spaced; 0: all.")] = 0,
        only: Annotated[
            list[str] | None, typer.Option(metavar="NAME", help="Row by its name in the table; repeatable.")
        ] = None,
        folds: Annotated[int, typer.Option(help="Folds the images are divided into.")] = 5,
        use_folds: Annotated[int, typer.Option(help="Run only the first few of them; 0: all.")] = 0,
        norm: Annotated[str, typer.Option(help="Of U-Nets: none, batch or group.")] = "batch",
        width: Annotated[int, typer.Option(help="Of U-Nets: maps of the first level; the paper: 32.")] = 32,
        size: Annotated[int, typer.Option(help="Side of a crop, pixels, divisible by 8.")] = 48,
        colour: Annotated[str, typer.Option(help="rgb or grey.")] = "rgb",
        source: Annotated[str, typer.Option(help="cells, or image: the raw picture's middle.")] = "cells",
        masked: Annotated[bool, typer.Option(help="Blank all but the cell.")] = False,
        denoise: Annotated[str, typer.Option(help="Of crops: none, or median over 3 x 3 pixels.")] = "none",
        scale: Annotated[float, typer.Option(help="Crop pixels an image pixel.")] = 1.0,
        epochs: Annotated[int, typer.Option(help="Of deep rows.")] = 4,
        batch_size: Annotated[int, typer.Option(help="Crops a step.")] = 32,
        learning_rate: Annotated[float, typer.Option(help="Of AdamW, at its height.")] = 1e-3,
        cells_per_image: Annotated[int, typer.Option(help="Cells drawn of each image and epoch.")] = 2,
        views: Annotated[int, typer.Option(help="Random views of each image beside itself.")] = 0,
        allow_leakage: Annotated[
            bool, typer.Option(help="Split at random. The figures will be too good.")
        ] = False,
        seed: Annotated[int, typer.Option(help="Of folds, weights and draws.")] = 0,
        threads: Annotated[int, typer.Option(help="Torch threads; 0: torch's choice.")] = 0,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
        cache: Annotated[Path | None, typer.Option(help="Folder for found cells.")] = None,
        resume: Annotated[bool, typer.Option(help="Take finished rows from the folder.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    ) -> None:
        """Compare classifiers on the same grouped folds, the paper's figures beside ours."""
        import torch

        from fastpgs.cli._console import print_json
        from fastpgs.inference.preprocess import InputSpec
        from fastpgs.training.compare import CompareOptions, compare
        from fastpgs.training.datasets import read_dataset, thin_out
        from fastpgs.training.loop import TrainConfig
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
                    device=("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device,
                    report=progress,
                )
        except (ValueError, FileNotFoundError) as error:
            raise typer.BadParameter(str(error)) from error
        if as_json:
            print_json({"leaky": allow_leakage, "rows": rows})
        elif not quiet:
            if allow_leakage:
                typer.secho(
                    "random split: groups lie on both sides, these figures are too good", fg="red", bold=True
                )
            typer.echo((out / f"{family}.md").read_text())
