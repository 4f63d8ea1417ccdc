"""``fastpgs export``: a model as one file for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("export")
    def export(
        model: Annotated[str, typer.Argument(help="A model of the package, or a model folder.")] = "unet-plr",
        to: Annotated[str, typer.Option(help="torchscript, onnx or pt2 (torch.export).")] = "onnx",
        out: Annotated[Path | None, typer.Option(help="File to write; default: the model's name.")] = None,
        images: Annotated[
            list[Path] | None,
            typer.Option(metavar="FILE", help="Images on whose cells the file must agree; repeatable."),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the file and its parity as JSON.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    ) -> None:
        """Write a model as one file. It is kept only if it agrees with the model on real crops."""
        from fastpgs.cli._console import print_json
        from fastpgs.io import ImageReadError, read_image
        from fastpgs.training.export import export_model

        try:
            pictures = [read_image(path) for path in images] if images else None
            path, difference = export_model(model, out or Path(Path(model).name), to, images=pictures)
        except (ValueError, FileNotFoundError, ImageReadError, ModuleNotFoundError) as error:
            raise typer.BadParameter(str(error)) from error
        size = path.stat().st_size
        if as_json:
            print_json({"file": str(path), "bytes": size, "largest_difference": difference})
        elif not quiet:
            typer.echo(f"{path}: {size / 1e6:.1f} MB, p_blast differs by at most {difference:.1e}")
