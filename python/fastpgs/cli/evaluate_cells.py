"""``fastpgs evaluate-cells PATH``: found cells against an expert's masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastpgs.evaluation.cells import Report


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("evaluate-cells")
    def evaluate_cells(
        path: Annotated[
            Path,
            typer.Argument(
                exists=True,
                file_okay=False,
                help="Folder of images with masks of the same name (.png) beside them.",
            ),
        ],
        out: Annotated[Path, typer.Option(help="Folder for the CSV, the figures and the overlays.")],
        seeds: Annotated[int, typer.Option(min=1, help="Seeds over which the spread is measured.")] = 20,
        limit: Annotated[int | None, typer.Option(min=1, help="Images of each set, spread evenly.")] = None,
        threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: all permitted.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    ) -> None:
        """Dice of nuclei and cells, wrong or missing cells, and time, beside goals and simple methods."""
        from fastpgs.evaluation.cells import evaluate_cells as evaluate
        from fastpgs.evaluation.cells import save_report
        from fastpgs.evaluation.masks import find_sets

        try:
            sets = find_sets(path, limit)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        report = evaluate(sets, seeds=seeds, num_threads=threads)
        overlays = save_report(report, sets, out)
        if as_json:
            typer.echo(json.dumps(report.to_dict(), indent=2))
        else:
            _print(report)
            typer.echo(f"{out / 'images.csv'}, {out / 'figures.json'} and {len(overlays)} overlays")


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    from fastpgs.evaluation.cells import METHOD, SPREAD_GOAL, TIME_GOAL

    names = list(report.figures[0].baselines)
    table = Table(title="Cells against the expert's masks (95 % bootstrap interval over images)")
    for title in ("set", "figure", "goal", METHOD, "95 % interval", *names):
        table.add_column(title, justify="left" if title in ("set", "figure") else "right")
    for f in report.figures:
        digits = 1 if f.name.endswith("%") else 4
        table.add_row(
            f.dataset,
            f.name,
            f.goal,
            f"{f.value:.{digits}f}",
            f"{f.low:.{digits}f} - {f.high:.{digits}f}",
            *(f"{f.baselines[name]:.{digits}f}" for name in names),
        )
    for dataset, spread in report.spread.items():
        for name, value in spread.items():
            table.add_row(dataset, f"{name}, spread over {report.seeds} seeds", SPREAD_GOAL, f"{value:.4f}")
    for dataset, timing in report.milliseconds.items():
        size = f"{timing['height']} x {timing['width']}"
        goal = TIME_GOAL if size == "300 x 300" else ""
        table.add_row(dataset, f"time, {size}, ms", goal, f"{timing['median_ms']:.1f}")
    Console(width=150).print(table)
