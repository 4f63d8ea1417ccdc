"""``fastpgs data check``: look at labelled images before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    group = typer.Typer(help="Look at labelled images before training on them.", no_args_is_help=True)
    app.add_typer(group, name="data")

    @group.callback()
    def data() -> None:
        """Look at labelled images before training on them."""

    @group.command("check", epilog="Example: fastpgs data check data/")
    def check(
        path: Annotated[Path, typer.Argument(help="Class folders, a CSV manifest, or C-NMC 2019.")],
        layout: Annotated[str, typer.Option(help="auto, folder, manifest or cnmc.")] = "auto",
        blocks: Annotated[
            int, typer.Option(help="Contiguous blocks a class where there are no patient ids.")
        ] = 10,
        blast: Annotated[list[str] | None, typer.Option(help="Folder name of blasts; repeatable.")] = None,
        normal: Annotated[list[str] | None, typer.Option(help="Folder name of normals; repeatable.")] = None,
        part: Annotated[str | None, typer.Option(help="Of C-NMC: train, prelim or a fold's name.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    ) -> None:
        """Classes, patients or blocks, sizes, duplicates and unreadable files. Exit code 1 if anything is wrong."""
        from fastpgs.cli._console import print_json
        from fastpgs.training.check import check_dataset
        from fastpgs.training.datasets import read_dataset

        try:
            found = read_dataset(
                path,
                cast(Any, layout),
                blocks=blocks,
                blast=tuple(blast or ()),
                normal=tuple(normal or ()),
                part=part,
            )
        except (ValueError, FileNotFoundError) as error:
            raise typer.BadParameter(str(error)) from error
        report = check_dataset(found)
        if as_json:
            print_json(report.to_dict())
        elif not quiet:
            _print(report)
        if report.problems:
            raise typer.Exit(1)


def _print(report: Any) -> None:
    typer.echo(f"{report.images} images, layout {report.layout}, groups: {report.grouping}")
    for title, counts in (
        ("images", report.classes),
        ("groups", report.groups),
        ("parts", report.parts),
        ("sizes", dict(list(report.sizes.items())[:8])),
    ):
        if counts:
            typer.echo(f"{title:<8}" + ", ".join(f"{name}: {n}" for name, n in counts.items()))
    if len(report.sizes) > 8:
        typer.echo(f"        and {len(report.sizes) - 8} other sizes")
    typer.echo(f"{len(report.duplicates)} byte-identical images left out")
    for left, kept in report.duplicates[:5]:
        typer.echo(f"        {left} = {kept}")
    if len(report.duplicates) > 5:
        typer.echo(f"        and {len(report.duplicates) - 5} more (--json lists them)")
    for line in report.problems:
        typer.echo(line)
