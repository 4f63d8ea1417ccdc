"""``fastpgs serve``: a page in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = """
Examples:

  fastpgs serve

  fastpgs serve --port 8080 --model my-model --no-browser

  fastpgs serve --host 0.0.0.0 --allow-host lab.example.org   # others reach it: put a login in front
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("serve", epilog=EXAMPLES)
    def serve(
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
        host: Annotated[
            str, typer.Option(help="Address to listen on; the default is this machine alone.")
        ] = "127.0.0.1",
        allow_host: Annotated[
            list[str] | None,
            typer.Option(metavar="HOST", help="Another host name that browsers may ask for; repeatable."),
        ] = None,
        model: Annotated[str, typer.Option(help="As of classify.")] = "unet-plr",
        device: Annotated[str, typer.Option(help="As of classify.")] = "auto",
        max_megabytes: Annotated[int, typer.Option(min=1, help="Largest file.")] = 64,
        max_pixels: Annotated[int, typer.Option(min=1, help="Largest picture.")] = 25_000_000,
        browser: Annotated[bool, typer.Option(help="Open the page in the default browser.")] = True,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    ) -> None:
        """Open a page that outlines and judges the cells of dropped images. Research use only."""
        from fastpgs.inference.model import load_model
        from fastpgs.serve.app import Limits
        from fastpgs.serve.run import run

        def ready(address: str) -> None:
            if not quiet:
                typer.echo(f"{address}  (Ctrl-C ends it)")
            if browser:
                import webbrowser

                webbrowser.open(address)

        limits = Limits(upload_bytes=max_megabytes << 20, max_pixels=max_pixels)
        run(load_model(model, device), host, port, allow_host or (), limits, ready)
