"""What the commands print: summaries as text or JSON, progress on terminals."""

from __future__ import annotations

import json
import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastpgs.inference.results import FieldResult, Result

__all__ = ["Progress", "print_json", "print_profile", "print_result"]

LISTED = 10
STAGES = ("read", "cells", "model", "judge", "write")


class Progress:
    """A bar on stderr, if that is a terminal; nothing elsewhere. Call it with what `classify` reports."""

    def __init__(self, enabled: bool) -> None:
        self._bar: Any = None
        if enabled and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("judging"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[cells]:,} cells"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, cells=0)
        self._cells = 0

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if isinstance(error, KeyboardInterrupt):
            import typer

            print(f"fastpgs: {error or 'stopped'}", file=sys.stderr)
            raise typer.Exit(130)

    def __call__(self, done: int, total: int | None, one: FieldResult | None) -> None:
        if self._bar is not None:
            self._cells += len(one.cells) if one is not None and one.cells is not None else 0
            self._bar.update(self._task, completed=done, total=total, cells=self._cells)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout; what is not a finite number, which JSON cannot say, as null."""
    print(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if hasattr(value, "item"):  # a scalar of NumPy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_result(result: Result, *, as_json: bool, quiet: bool) -> None:
    """Print what a run found."""
    counts = result.run["counts"]
    unjudged = [
        {name: row[name] for name in ("image", "status", "error")}
        for row in result.images.select(["image", "status", "error"]).to_pylist()
        if row["status"] != "ok"
    ]
    if as_json:
        print_json({**result.run, "not_judged": unjudged, "out": str(result.out)})
        return
    if quiet:
        if unjudged:
            first = unjudged[0]
            more = f" (and {len(unjudged) - 1:,} more)" if len(unjudged) > 1 else ""
            where = f"; see {result.out / 'images.parquet'}" if result.out is not None else ""
            print(
                f"fastpgs: {len(unjudged):,} of {counts['inputs']:,} inputs not judged:"
                f" {first['image']}: {first['error']}{more}{where}",
                file=sys.stderr,
            )
        return
    model = result.run["model"]
    print(
        f"{counts['ok']:,} of {counts['inputs']:,} images judged, {counts['cells']:,} cells"
        f" ({model['name']}, {model['engine']}, {model['dtype']} on {model['device']})"
    )
    calls = (("blast", "blast"), ("uncertain", "uncertain"), ("normal", "normal"))
    print("images called: " + ", ".join(f"{counts[f'called_{call}']:,} {word}" for call, word in calls))
    if unjudged:
        print(f"not judged: {len(unjudged):,}")
        for row in unjudged[:LISTED]:
            print(f"  {row['image']}: {row['status']}: {row['error']}")
        if len(unjudged) > LISTED:
            print(f"  and {len(unjudged) - LISTED:,} more, in images.parquet")
    if result.out is not None:
        page = result.out / "report.html"
        print(f"{'report' if page.exists() else 'tables'}: {page if page.exists() else result.out}")
    print(result.run["notice"])


def print_profile(profile: dict[str, Any]) -> None:
    """Print where the time went, on stderr: stages in the order in which inputs pass them."""
    wall, stages = profile["wall_s"], profile["stages"]
    lines = [f"{'stage':<8}{'threads':>8}{'items':>10}{'busy s':>10}{'items/s':>10}{'busy':>8}"]
    for name in sorted(stages, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES)):
        stage = stages[name]
        # What the stage would do by itself: items over busy time, times its threads.
        alone = stage["items"] * stage["threads"] / stage["busy_s"] if stage["busy_s"] else 0.0
        lines.append(
            f"{name:<8}{stage['threads']:>8}{stage['items']:>10,}{stage['busy_s']:>10.2f}"
            f"{alone:>10,.1f}{100 * stage['utilisation']:>7.0f}%"
        )
    lines.append(f"{'wall':<8}{'':>8}{'':>10}{wall:>10.2f}")
    cpus, used = profile["processors"], profile["cpu_s"]
    share = 100 * used / (wall * cpus) if wall else 0.0
    lines.append(f"{'CPU':<8}{'':>8}{'':>10}{used:>10.2f}{'':>10}{share:>7.0f}%  of {cpus} processors")
    lines.append(
        "busy s: with waiting for a processor or a lock; items/s: were the stage's threads always busy"
    )
    print("\n".join(lines), file=sys.stderr)
