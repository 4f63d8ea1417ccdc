"""CSV that spreadsheet programs open as what it is: text and numbers, no formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["csv_text", "neutral_row", "neutralise"]


def neutralise(text: str) -> str:
    """Text that a spreadsheet program cannot take for a formula: an apostrophe before what looks like one."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def neutral_row(values: Iterable[Any]) -> list[Any]:
    """The values of a row, its texts neutralised."""
    return [neutralise(value) if isinstance(value, str) else value for value in values]


def csv_text(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A whole table as CSV, quoted where needed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(neutral_row(row) for row in rows)
    return text.getvalue()
