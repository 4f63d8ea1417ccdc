"""``fastpgs crossval``: Tables 3 and 4 on your images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from fastpgs.cli import _training as option


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("crossval")
    def crossval(
        data: option.Labelled,
        out: Annotated[Path, typer.Option(help="Folder for tables, curves and checkpoints.")],
        layout: option.Layout = "auto",
        blocks: option.Blocks = 10,
        limit: option.Limit = 0,
        network: option.Network = "efficientnet_b3",
        activation: option.Activation = None,
        norm: option.Norm = "batch",
        width: option.Width = 32,
        size: option.Size = 48,
        colour: option.Colour = "rgb",
        source: option.Source = "cells",
        masked: option.Masked = False,
        denoise: option.Denoise = "none",
        scale: option.Scale = 1.0,
        folds: Annotated[int, typer.Option(help="Parts the images are divided into.")] = 10,
        official: option.Official = False,
        epochs: option.Epochs = 10,
        batch_size: option.BatchSize = 32,
        learning_rate: option.LearningRate = 1e-3,
        cells_per_image: option.CellsPerImage = 2,
        views: option.Views = 0,
        allow_leakage: option.AllowLeakage = False,
        seed: option.Seed = 0,
        threads: option.Threads = 0,
        device: option.Device = "auto",
        cache: option.Cache = None,
        resume: option.Resume = False,
        as_json: option.AsJson = False,
        quiet: option.Quiet = False,
    ) -> None:
        """Cross-validate a network, groups kept whole: accuracy and loss at start and end of training, each fold."""
        from fastpgs.cli._console import print_json
        from fastpgs.inference.precision import choose_device
        from fastpgs.inference.preprocess import InputSpec
        from fastpgs.training.config import TrainConfig
        from fastpgs.training.crossval import cross_validate
        from fastpgs.training.datasets import read_dataset, thin_out
        from fastpgs.training.progress import Progress

        try:
            found = read_dataset(data, cast(Any, layout), blocks=blocks)
            with Progress(quiet) as progress:
                result = cross_validate(
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
                        network=network,
                        activation=activation,
                        options=option.network_options(network, norm, width),
                        epochs=epochs,
                        batch_size=batch_size,
                        learning_rate=learning_rate,
                        cells_per_image=cells_per_image,
                        seed=seed,
                        threads=threads,
                    ),
                    folds=folds,
                    official=official,
                    allow_leakage=allow_leakage,
                    views=views,
                    cache=cache,
                    resume=resume,
                    device=choose_device(device),
                    report=progress,
                )
        except (ValueError, FileNotFoundError) as error:
            raise typer.BadParameter(str(error)) from error
        if as_json:
            files = [str(path) for path in result.files]
            print_json(
                {"leaky": allow_leakage, "figures": result.figures, "folds": result.rows, "files": files}
            )
        elif not quiet:
            option.warn_of_leakage(allow_leakage)
            for path in result.files:
                typer.echo(str(path))
