"""Options that the commands which train have in common: one wording each, whichever command they stand at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# --- The images ---

Labelled = Annotated[Path, typer.Argument(help="Class folders, a CSV manifest, or C-NMC 2019.")]
Layout = Annotated[str, typer.Option(help="auto, folder, manifest or cnmc.")]
Blocks = Annotated[int, typer.Option(help="Contiguous blocks a class where there are no patient ids.")]
Limit = Annotated[int, typer.Option(help="Images of each class, evenly spaced; 0: all.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for found cells.")]

# --- The network and its input ---

Network = Annotated[str, typer.Option(help="See fastpgs model-summary.")]
Activation = Annotated[str | None, typer.Option(help="relu or plr; default: as the name says.")]
Norm = Annotated[str, typer.Option(help="Of U-Nets: none, batch or group.")]
Width = Annotated[int, typer.Option(help="Of U-Nets: maps of the first level; the paper: 32.")]
Size = Annotated[int, typer.Option(help="Side of a crop, pixels, divisible by 8.")]
Colour = Annotated[str, typer.Option(help="rgb or grey.")]
Source = Annotated[str, typer.Option(help="cells, or image: the raw picture's middle.")]
Masked = Annotated[bool, typer.Option(help="Blank all but the cell.")]
Denoise = Annotated[str, typer.Option(help="Of crops: none, or median over 3 x 3 pixels.")]
Scale = Annotated[float, typer.Option(help="Crop pixels an image pixel.")]

# --- The training ---

Official = Annotated[bool, typer.Option(help="Use the folds that the source defines.")]
Epochs = Annotated[int, typer.Option(help="Passes over the images.")]
BatchSize = Annotated[int, typer.Option(help="Crops a step.")]
LearningRate = Annotated[float, typer.Option(help="Of AdamW, at its height.")]
CellsPerImage = Annotated[int, typer.Option(help="Cells drawn of each image and epoch.")]
Views = Annotated[int, typer.Option(help="Random views of each image beside itself.")]
AllowLeakage = Annotated[bool, typer.Option(help="Split at random. The figures will be too good.")]
Seed = Annotated[int, typer.Option(help="Of folds, weights and draws.")]
Threads = Annotated[int, typer.Option(help="Torch threads; 0: torch's choice.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda.")]

# --- The run ---

Resume = Annotated[bool, typer.Option(help="Go on where a killed run was.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def network_options(network: str, norm: str, width: int) -> dict[str, Any]:
    """What a U-Net is built with. Other networks, and that of the paper's Table 2, leave nothing to choose."""
    return {"norm": norm, "width": width} if network.startswith("unet") and "table2" not in network else {}


def warn_of_leakage(allow_leakage: bool) -> None:
    """Say beside figures of a random split what they are worth."""
    if allow_leakage:
        typer.secho("random split: groups lie on both sides, these figures are too good", fg="red", bold=True)
