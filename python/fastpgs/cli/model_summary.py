"""``fastpgs model-summary NAME``: a network as a table."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("model-summary")
    def model_summary(
        name: Annotated[
            str, typer.Argument(help="Network, such as unet_plr or unet_plr_table2.")
        ] = "unet_plr",
        size: Annotated[int, typer.Option(help="Height and width of the input, pixels.")] = 256,
        channels: Annotated[int, typer.Option(help="Input channels: 1 grey, 3 RGB.")] = 1,
        activation: Annotated[
            str | None, typer.Option(help="relu or plr; default: as the name says.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    ) -> None:
        """Layers, shapes, parameter counts and connections of a network, with Eqs. 9-15 worked out."""
        from fastpgs.cli._console import print_json
        from fastpgs.nets import build_network
        from fastpgs.nets.summary import summarise

        try:
            network = build_network(name, in_channels=channels, activation=activation)
            summary = summarise(network, name, (channels, size, size))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        if as_json:
            print_json(summary.to_dict())
        else:
            _print(summary)


def _print(summary: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    channels, height, width = summary.input_shape
    table = Table(title=f"{summary.network}, input (None, {height}, {width}, {channels})")
    for title, right in (
        ("Layer (type)", False),
        ("Output shape", False),
        ("Param #", True),
        ("PLR slopes", True),
        ("Connected to", False),
        ("Size: Eqs. 9, 11, 14, 15", False),
        ("Parameters: Eq. 10", False),
    ):
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for row in summary.rows:
        shape = "(" + ", ".join(str(n) for n in row.shape) + ")"
        table.add_row(
            f"{row.name} ({row.kind})",
            shape,
            f"{row.parameters:,}",
            f"{row.slopes:,}" if row.slopes else "",
            ", ".join(row.connected_to),
            row.equation,
            row.parameter_equation,
            style="dim" if row.head else None,
        )
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    total = summary.parameters + summary.slopes
    console.print(
        f"Eq. 12, total parameters: {summary.parameters:,} + {summary.slopes:,} PLR slopes = {total:,}"
    )
    console.print(f"Class head (dim rows, apart): {summary.head_parameters:,}")
    console.print(f"Eq. 13, convolutions and up-samplings: {summary.layers}")
