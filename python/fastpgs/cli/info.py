"""``fastpgs info``: what a bug report needs."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("info")
    def info(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Versions, processor features, devices and models: paste this into bug reports."""
        from fastpgs.cli._console import print_json
        from fastpgs.inference import provenance

        facts: dict[str, Any] = {
            "versions": {**provenance.versions(), **provenance.other_versions()},
            "machine": provenance.describe_machine(),
            "devices": provenance.describe_devices(),
            "models": provenance.list_models(),
        }
        if as_json:
            print_json(facts)
            return
        for title, values in facts.items():
            typer.echo(f"{title}:")
            for name, value in values.items():
                typer.echo(f"  {name}: {_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    return str(value)
