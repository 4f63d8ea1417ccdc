"""Arrow columns of Python values and of arrays, and back from parquet.

`pyarrow.array` asks of everything whether it is pandas', and imports pandas for the question: half a second of a run's
start where pandas happens to be installed. Here columns are made of their buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["column", "make_table", "numbers", "read_table"]


def column(values: Sequence[Any] | npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """A column of numbers, truth values, strings or bytes; None is null.

    Parameters
    ----------
    values : sequence, or ndarray of shape (n,)
    kind : pyarrow.DataType

    Raises
    ------
    ValueError
        Strings or bytes of more than 2 GiB together.
    """
    n, nulls, mask = len(values), 0, None
    if not isinstance(values, np.ndarray):
        there = [value is not None for value in values]
        nulls = n - sum(there)
        mask = _bits(there) if nulls else None
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        pieces = [b"" if v is None else v.encode() if isinstance(v, str) else v for v in values]
        ends = np.cumsum([0, *map(len, pieces)])
        if ends[-1] > np.iinfo(np.int32).max:
            raise ValueError(f"expected at most 2 GiB of text in a column, got {ends[-1]:,} bytes")
        content = [pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(pieces))]
    elif pa.types.is_boolean(kind):
        content = [_bits([bool(v) for v in values])]
    else:
        filled = values if not nulls else [0 if v is None else v for v in values]
        content = [pa.py_buffer(np.ascontiguousarray(filled, kind.to_pandas_dtype()))]
    return pa.Array.from_buffers(kind, n, [mask, *content], nulls)


def make_table(columns: Mapping[str, Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """A table of flat columns, in the order of the schema."""
    return pa.Table.from_arrays([column(columns[field.name], field.type) for field in schema], schema=schema)


def read_table(path: Path, names: list[str] | None = None) -> pa.Table:
    """The columns of a parquet file, in the order of the file; default: all."""
    with pq.ParquetFile(path) as file:  # `pyarrow.parquet.read_table` makes a data set of it first
        return file.read(names, use_threads=False)  # small files: to wake a thread takes longer


def numbers(array: pa.Array) -> npt.NDArray[Any]:
    """The values of a column of numbers without nulls, as a view of it."""
    data = array.buffers()[1]
    kind = np.dtype(array.type.to_pandas_dtype())
    if data is None or not len(array):
        return np.zeros(0, kind)
    return np.frombuffer(data, kind, len(array), array.offset * kind.itemsize)


def _bits(values: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(values, bool), bitorder="little"))
