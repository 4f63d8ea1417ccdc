"""Progress of a training run on a terminal; plain lines, a few, where there is none."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """Context manager to be passed as ``report``; silent where `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.bars = RichProgress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet or not self.console.is_terminal,
            transient=True,
        )
        self.task: Any = None
        self.title = ""

    def __enter__(self) -> Progress:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def __call__(self, row: dict[str, Any]) -> None:
        if "step" in row:
            title = row["stage"] + (f", epoch {row['epoch'] + 1}" if "epoch" in row else "")
            if title != self.title:
                if self.task is not None:
                    self.bars.remove_task(self.task)
                self.task = self.bars.add_task(title, total=row["steps"], metrics="")
                self.title = title
            shown = " ".join(f"{k} {row[k]:.3f}" for k in ("loss", "accuracy") if k in row)
            self.bars.update(self.task, completed=row["step"], total=row["steps"], metrics=shown)
        else:
            self.console.print(
                " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()),
                highlight=False,
                soft_wrap=True,
            )
