"""``fastpgs evaluate-cells PATH``: found cells against an expert's masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

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
        out: Annotated[Path, typer.Option(help="Folder for the CSV, the figures and the overlays.")] = Path(
            "cells-evaluation"
        ),
        seeds: Annotated[int, typer.Option(min=1, help="Seeds over which the spread is measured.")] = 20,
        limit: Annotated[int | None, typer.Option(min=1, help="Images of each set, spread evenly.")] = None,
        probes: Annotated[
            int,
            typer.Option(
                min=0, help="Synthetic fields without white cells, of each kind and stain; 0: no probes."
            ),
        ] = 10,
        counts: Annotated[
            Path | None,
            typer.Option(exists=True, dir_okay=False, help="CSV of fields counted by eye (benchmarks/)."),
        ] = None,
        threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: all permitted.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    ) -> None:
        """Dice of nuclei and cells, wrong or missing cells, and time, beside goals and simple methods."""
        from fastpgs.cli._console import print_json
        from fastpgs.evaluation.cells import evaluate_cells as evaluate
        from fastpgs.evaluation.cells import save_report
        from fastpgs.evaluation.counts import read_counts
        from fastpgs.evaluation.masks import find_sets

        try:
            sets = find_sets(path, limit)
            by_eye = read_counts(counts) if counts is not None else None
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        report = evaluate(sets, seeds=seeds, num_threads=threads, probes=probes, counts=by_eye)
        overlays = save_report(report, sets, out)
        if as_json:
            print_json(report.to_dict())
        elif not quiet:
            _print(report)
            typer.echo(f"{out / 'images.csv'}, {out / 'figures.json'} and {len(overlays)} overlays")


def _print(report: Report) -> None:
    from rich.console import Console

    console = Console(width=150)
    console.print(_against_expert(report))
    if report.probes:
        console.print(_where_known(report))
    if report.counts:
        console.print(_by_eye(report))


def _between(value: float, low: float, high: float, digits: int) -> str:
    return f"{value:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=i == 0)
    return table


def _against_expert(report: Report) -> Table:
    from fastpgs.evaluation.cells import METHOD, SPREAD_GOAL, TIME_GOAL

    names = list(report.figures[0].baselines)
    table = _table("Cells against the expert's masks (95 % intervals)", "figure", "goal", METHOD, *names)
    for f in report.figures:
        digits = 1 if f.name.endswith("%") else 3
        others = (f.baselines[name] for name in names)
        table.add_row(
            f"{f.dataset}, {f.name}",
            f.goal,
            # Four digits: goals are missed and met in the third.
            _between(f.value, f.low, f.high, digits + (digits > 1)),
            *(_between(o.value, o.low, o.high, digits) for o in others),
        )
    for dataset, spread in report.spread.items():
        for name, value in spread.items():
            table.add_row(f"{dataset}, {name}, spread over {report.seeds} seeds", SPREAD_GOAL, f"{value:.4f}")
    for dataset, timing in report.milliseconds.items():
        size = f"{timing['height']} x {timing['width']}"
        goal = TIME_GOAL if size == "300 x 300" else ""
        table.add_row(f"{dataset}, {size}, ms", goal, f"{timing['median_ms']:.1f}")
        table.add_row(f"{dataset}, {size}, ms of processor", "", f"{timing['median_cpu_ms']:.1f}")
    return table


def _where_known(report: Report) -> Table:
    columns = ("pictures", "number", "right, % (95 %)", "cells found", "cell Dice", "nucleus Dice")
    table = _table("Where the answer is known: no cell, or the one cell on black found whole", *columns)
    for p in report.probes:
        alone = p.cell_dice == p.cell_dice
        table.add_row(
            p.name,
            str(p.pictures),
            _between(100.0 * p.right / p.pictures, 100.0 * p.low, 100.0 * p.high, 1),
            str(p.cells),
            f"{p.cell_dice:.4f}" if alone else "",
            f"{p.nucleus_dice:.4f}" if alone else "",
        )
    return table


def _by_eye(report: Report) -> Table:
    columns = ("class", "fields", "seen", "found", "false", "missed", "precision (95 %)", "recall (95 %)")
    table = _table("Fields counted by eye, as the counts were written down", *columns)
    for c in report.counts:
        numbers = (c.fields, c.seen, c.true, c.false, c.missed)
        table.add_row(
            c.kind,
            *map(str, numbers),
            _between(c.precision, *c.precision_interval, 3),
            _between(c.recall, *c.recall_interval, 3),
        )
    return table
