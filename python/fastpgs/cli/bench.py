"""``fastpgs bench``: the C++ core beside its NumPy reference."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("bench")
    def bench(
        size: Annotated[
            list[int] | None,
            typer.Option(min=16, metavar="PIXELS", help="Side of the image; repeat for several."),
        ] = None,
        threads: Annotated[int | None, typer.Option(help="Threads of the core; all by default.")] = None,
        seconds: Annotated[float, typer.Option(help="Time spent on each call.")] = 0.5,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Time the C++ core against NumPy on synthetic smears, same pixels, same start.

        Example: fastpgs bench --size 256 --size 1024 --threads 1
        """
        from fastpgs import bench
        from fastpgs.cli._console import print_json

        rows = bench.run(size or (256, 512), budget=seconds, num_threads=threads)
        facts = bench.environment()
        if as_json:
            print_json({"environment": facts, "rows": [row.to_dict() for row in rows]})
        else:
            typer.echo(", ".join(f"{name} {value}" for name, value in facts.items()))
            typer.echo(_table([row.to_dict() for row in rows]))
        if not all(row.equal for row in rows):
            raise typer.Exit(1)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'case':28s} {'size':>6s} {'C++ ms':>9s} {'NumPy ms':>10s} {'ratio':>7s} {'ns/px':>7s}  same labels"
    ]
    lines += [
        f"{row['case']:28s} {row['size']:6d} {row['core_ms']:9.3f} {row['reference_ms']:10.1f} "
        f"{row['ratio']:6.0f}x {row['ns_per_pixel']:7.2f}  {'yes' if row['equal'] else 'NO'}"
        for row in rows
    ]
    return "\n".join(lines)
