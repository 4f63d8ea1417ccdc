"""``fastpgs classify``: judge images."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from types import FrameType

EXAMPLES = """
Examples:

  fastpgs classify smears/ --out out

  fastpgs classify 'run1/*.tif' extra.png --out out --overlays --csv

  find smears -name '*.jpg' | fastpgs classify - --out out --resume

  fastpgs classify smears/ --out out --shard 3/16 --resume

  fastpgs classify smears/ --out /shared/out --scheduler tcp://HOST:8786

  fastpgs classify slide.ome.tiff --out out
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("classify", epilog=EXAMPLES)
    def classify(
        inputs: Annotated[
            list[str] | None,
            typer.Argument(metavar="INPUT", help="Images, folders, patterns; '-' reads names from stdin."),
        ] = None,
        out: Annotated[Path | None, typer.Option(help="Folder for the results; needed.")] = None,
        model: Annotated[
            str, typer.Option(help="Model of the package, model folder, or exported file.")
        ] = "unet-plr",
        device: Annotated[
            str, typer.Option(help="auto (CUDA if there is one), cpu, cuda, cuda:1 ...")
        ] = "auto",
        engine: Annotated[str, typer.Option(help="auto, native, torchscript, eager, onnx or pt2.")] = "auto",
        dtype: Annotated[
            str,
            typer.Option(
                help="auto (sixteen bits where that is faster: fp16 on GPUs, int16 on CPUs; else fp32), fp32, int16,"
                " bf16, fp16."
            ),
        ] = "auto",
        trust_model: Annotated[
            bool,
            typer.Option(
                "--trust-model", help="Run a foreign model that is a program. Only if you know its origin."
            ),
        ] = False,
        manifest: Annotated[
            Path | None, typer.Option(help="CSV with a column 'image', or a text file with a name a line.")
        ] = None,
        resume: Annotated[
            bool, typer.Option("--resume", help="Keep what an earlier run saved; redo what has changed.")
        ] = False,
        restart: Annotated[
            bool, typer.Option("--restart", help="Discard an unfinished run in the folder.")
        ] = False,
        shard: Annotated[
            str | None,
            typer.Option(help="Judge part i of N only, as i/N, i from 1; the last part joins all."),
        ] = None,
        scheduler: Annotated[
            str | None,
            typer.Option(help="Judge on the workers of this Dask scheduler, tcp://HOST:8786; OUT is shared."),
        ] = None,
        overlays: Annotated[
            bool, typer.Option("--overlays", help="Also write PNGs with outlined cells.")
        ] = False,
        labels: Annotated[
            bool, typer.Option("--labels", help="Also write label images of cells and nuclei (TIFF).")
        ] = False,
        csv: Annotated[bool, typer.Option("--csv", help="Also write the tables as CSV.")] = False,
        geojson: Annotated[bool, typer.Option("--geojson", help="Also write GeoJSON for QuPath.")] = False,
        coco: Annotated[bool, typer.Option("--coco", help="Also write COCO annotations.")] = False,
        report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
        batch_size: Annotated[
            int | None, typer.Option(min=1, help="Cells a batch; default: the model's.")
        ] = None,
        workers: Annotated[
            int | None,
            typer.Option(min=1, help="Threads that find cells; default: all, with --scheduler one a task."),
        ] = None,
        max_pixels: Annotated[
            int, typer.Option(min=1, help="Refuse pictures with more pixels.")
        ] = 100_000_000,
        tile: Annotated[
            int, typer.Option(min=256, help="Side of the tiles in which whole slides are judged, pixels.")
        ] = 2048,
        pixel_size: Annotated[
            float | None,
            typer.Option(
                help="Micrometres a pixel; default: slides say it, pictures are taken to be the model's."
            ),
        ] = None,
        profile: Annotated[
            bool, typer.Option("--profile", help="Print how busy each stage and the processors were.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        """Find the white cells of images and judge them. Research use only.

        Exit code: 0 every input was judged, 1 some were not, 2 wrong usage, 130 stopped (what is done is saved).
        """
        # Before NumPy is imported: threads of its BLAS begin by waiting for work in a loop, and get none here.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from fastpgs.cli._console import Progress, print_profile, print_result
        from fastpgs.io import read_list, read_manifest

        names: list[str] = []
        for given in inputs or []:
            names += read_list(_standard_input()) if given == "-" else [given]
        if manifest is not None:
            try:
                names += read_manifest(manifest)
            except OSError as error:
                raise typer.BadParameter(
                    f"cannot read {manifest}: {error.strerror}", param_hint="--manifest"
                ) from error
        if not names:
            raise typer.BadParameter(
                "expected at least one image, folder or pattern, got none", param_hint="INPUT"
            )
        if out is None:
            raise typer.BadParameter("expected a folder for the results: --out DIR")
        wanted = {"csv": csv, "labels": labels, "overlays": overlays, "geojson": geojson, "coco": coco}
        part = _shard(shard)

        if scheduler is not None and (part is not None or profile):
            raise typer.BadParameter("does not go with --shard or --profile", param_hint="--scheduler")

        signal.signal(signal.SIGTERM, _stop)
        with Progress(not (quiet or as_json)) as progress:
            options: dict[str, Any] = {
                "out": out,
                "formats": [name for name, on in wanted.items() if on],
                "report": report,
                "resume": resume,
                "restart": restart,
                "engine": engine,
                "dtype": dtype,
                "trust": trust_model,
                "batch_size": batch_size,
                "max_pixels": max_pixels,
                "tile": tile,
                "pixel_size": pixel_size,
                "progress": progress,
            }
            if scheduler is None:
                from fastpgs.io.decoder import start_helper

                start_helper()  # while this process imports and loads
                from fastpgs.inference.pipeline import classify as judge

                result = judge(names, model, device, shard=part, workers=workers, **options)
            else:
                from fastpgs import distributed

                with distributed.connect(scheduler) as client:
                    result = distributed.classify(
                        names, client, model, device, workers=workers or 1, **options
                    )
        print_result(result, as_json=as_json, quiet=quiet)
        if profile:
            print_profile(result.run["profile"])
        raise typer.Exit(0 if result.ok else 1)


def _standard_input() -> str:
    """Names as the system gives them: bytes outside UTF-8 and line ends within names must survive."""
    if hasattr(sys.stdin, "buffer"):
        return os.fsdecode(sys.stdin.buffer.read())
    return sys.stdin.read()


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, last = text.partition("/")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise typer.BadParameter(
            f"expected i/N with 1 <= i <= N, such as 1/16, got {text!r}", param_hint="--shard"
        )
    return int(first), int(last)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """A polite request to end (batch systems send it before they kill) saves what is done, like Ctrl-C."""
    raise KeyboardInterrupt
