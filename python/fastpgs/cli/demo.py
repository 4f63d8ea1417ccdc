"""``fastpgs demo``: the whole way on smears that the package draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("demo")
    def demo(
        out: Annotated[Path, typer.Option(help="Folder for the images and the results.")] = Path("demo"),
        images: Annotated[int, typer.Option(min=1, help="Smears to draw.")] = 12,
        seed: Annotated[int, typer.Option(min=0, help="Seed of the drawings.")] = 0,
        model: Annotated[str, typer.Option(help="As of classify.")] = "unet-plr",
        device: Annotated[str, typer.Option(help="As of classify.")] = "auto",
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        """Draw smears with known cells, judge them, and write the report.

        Drawn smears show how everything works, not how good it is: the model has learned from real ones.
        """
        from fastpgs.cli._console import Progress, print_result
        from fastpgs.demo import PIXEL_SIZE, draw_smears
        from fastpgs.inference.pipeline import classify

        paths = draw_smears(out / "images", images, seed)
        with Progress(not (quiet or as_json)) as progress:
            result = classify(
                paths,
                model,
                device,
                out=out,
                formats=["overlays"],
                restart=True,
                pixel_size=PIXEL_SIZE,
                progress=progress,
            )
        print_result(result, as_json=as_json, quiet=quiet)
        raise typer.Exit(0 if result.ok else 1)
