"""``fastpgs train``: from labelled images to a model folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from fastpgs.cli import _training as option


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("train")
    def train(
        data: option.Labelled,
        out: Annotated[Path, typer.Option(help="Model folder to write.")],
        layout: option.Layout = "auto",
        blocks: option.Blocks = 10,
        blast: Annotated[list[str] | None, typer.Option(help="Folder name of blasts; repeatable.")] = None,
        normal: Annotated[list[str] | None, typer.Option(help="Folder name of normals; repeatable.")] = None,
        network: option.Network = "unet_plr",
        activation: option.Activation = None,
        norm: option.Norm = "batch",
        width: option.Width = 32,
        size: option.Size = 48,
        colour: option.Colour = "rgb",
        balance: Annotated[
            str, typer.Option(help="White balance: none, white, or typical (odd light alone).")
        ] = "none",
        denoise: option.Denoise = "none",
        masked: option.Masked = False,
        source: option.Source = "cells",
        scale: option.Scale = 1.0,
        pixel_size: Annotated[
            float | None, typer.Option(help="Micrometres a pixel of the images, for the model to know.")
        ] = None,
        folds: Annotated[int, typer.Option(help="Folds whose held-out predictions calibrate.")] = 5,
        part: Annotated[str | None, typer.Option(help="Of C-NMC: train on one fold alone.")] = None,
        test_part: Annotated[
            str | None, typer.Option(help="Of C-NMC: prelim, judged once by the finished model.")
        ] = None,
        test: Annotated[
            Path | None, typer.Option(help="Other labelled images, judged once likewise.")
        ] = None,
        official: option.Official = False,
        final: Annotated[
            bool, typer.Option(help="Train a last network on everything; else keep fold 0's.")
        ] = True,
        epochs: option.Epochs = 4,
        batch_size: option.BatchSize = 32,
        learning_rate: option.LearningRate = 1e-3,
        weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 0.01,
        mask_weight: Annotated[
            float, typer.Option(help="Weight of the mask loss beside the class loss.")
        ] = 0.5,
        cells_per_image: option.CellsPerImage = 2,
        patience: Annotated[
            int, typer.Option(help="Epochs without better validation before stopping; 0: off.")
        ] = 0,
        stain: Annotated[float, typer.Option(help="Strength of stain jitter.")] = 0.15,
        light: Annotated[float, typer.Option(help="Strength of jitter of the light's colour.")] = 0.0,
        views: option.Views = 1,
        clean: Annotated[
            float | None,
            typer.Option(
                help="Share of cells of unchanged images in the last epoch, approached from the first on. "
                "All views alike by default."
            ),
        ] = None,
        sensitivity: Annotated[
            float, typer.Option(help="Blasts not to be called normal, for the thresholds.")
        ] = 0.98,
        specificity: Annotated[float, typer.Option(help="Normals not to be called blast.")] = 0.95,
        prior: Annotated[
            float | None,
            typer.Option(
                help="Share of blasts among the fields to be judged, between 0 and 1: what probabilities are "
                "calibrated for. As in the training images by default."
            ),
        ] = None,
        robustness: Annotated[int, typer.Option(help="Held-out images a class tried under each change.")] = 0,
        allow_leakage: option.AllowLeakage = False,
        seed: option.Seed = 0,
        threads: option.Threads = 0,
        device: option.Device = "auto",
        cache: option.Cache = None,
        start: Annotated[
            Path | None,
            typer.Option(help="Finished model folder with the same folds: go on from its networks' weights."),
        ] = None,
        blend: Annotated[
            float,
            typer.Option(
                help="Share of the new weights in the networks that are kept, above 0; the rest are those of --start."
            ),
        ] = 1.0,
        resume: option.Resume = False,
        as_json: option.AsJson = False,
        quiet: option.Quiet = False,
    ) -> None:
        """Train a network on the cells of labelled images; calibrate and evaluate it on groups never seen."""
        from fastpgs.cli._console import print_json
        from fastpgs.inference.precision import choose_device
        from fastpgs.inference.preprocess import InputSpec
        from fastpgs.training.augment import Augment
        from fastpgs.training.config import TrainConfig
        from fastpgs.training.datasets import read_dataset
        from fastpgs.training.fit import FitOptions, fit_model
        from fastpgs.training.progress import Progress

        try:
            found = read_dataset(
                data,
                cast(Any, layout),
                blocks=blocks,
                blast=tuple(blast or ()),
                normal=tuple(normal or ()),
                part=part,
            )
            other = None
            if test is not None:
                other = read_dataset(test, cast(Any, layout), blocks=blocks)
            elif test_part is not None:
                other = read_dataset(data, "cnmc", part=test_part)
            with Progress(quiet) as progress:
                result = fit_model(
                    found,
                    out,
                    InputSpec(
                        size=size,
                        colour=colour,
                        source=source,
                        masked=masked,
                        balance=balance,
                        denoise=denoise,
                        scale=scale,
                        pixel_size=pixel_size,
                    ),
                    TrainConfig(
                        network=network,
                        activation=activation,
                        options=option.network_options(network, norm, width),
                        epochs=epochs,
                        batch_size=batch_size,
                        learning_rate=learning_rate,
                        weight_decay=weight_decay,
                        mask_weight=mask_weight,
                        cells_per_image=cells_per_image,
                        clean=clean,
                        patience=patience,
                        seed=seed,
                        threads=threads,
                        augment=Augment(stain=stain, mix=stain / 3, light=light),
                    ),
                    FitOptions(
                        folds=folds,
                        official=official,
                        final=final,
                        views=views,
                        sensitivity=sensitivity,
                        specificity=specificity,
                        prior=prior,
                        robustness=robustness,
                        allow_leakage=allow_leakage,
                        blend=blend,
                        seed=seed,
                    ),
                    command=_command(),
                    test=other,
                    cache=cache,
                    start=start,
                    resume=resume,
                    device=choose_device(device),
                    report=progress,
                )
        except (ValueError, FileNotFoundError) as error:
            raise typer.BadParameter(str(error)) from error
        if as_json:
            print_json({"model": str(out), **result.report})
        elif not quiet:
            _print(result.report)
            typer.echo(f"model: {out}")


def _command() -> str:
    """The command as typed, paths cut down to their names: cards travel, folders of this machine need not."""
    words: list[str] = []
    skip = False
    for word in sys.argv[1:]:
        if skip or word.startswith("--cache=") or word in ("--cache", "--resume"):
            skip = word == "--cache"
            continue
        words.append(Path(word).name if "/" in word and not word.startswith("-") else word)
    return shlex.join(["fastpgs", *words])


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("fields held out", "value", "95 % interval")
    for name, row in report["figures"].items():
        table.add_row(name.replace("_", " "), f"{row['value']:.4f}", f"{row['low']:.4f} to {row['high']:.4f}")
    console.print(table)
    for name, row in report["baselines"].items():
        console.print(
            f"{name}: balanced accuracy {row['balanced_accuracy']:.4f}, ROC AUC {row['roc_auc']:.4f}"
        )
    if report["data"]["leaky"]:
        console.print("random split: groups lie on both sides, these figures are too good", style="bold red")
