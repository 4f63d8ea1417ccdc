"""Columns made of buffers are those that pyarrow makes."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastpgs.inference.columns import column, make_table, numbers, read_table

GIVEN = [
    ([], pa.string()),
    (["", "ä", None, "x" * 300, "€"], pa.string()),
    ([None, None], pa.string()),
    ([b"\0\xff", None, b""], pa.binary()),
    ([True, False, True] * 5, pa.bool_()),
    ([None, True], pa.bool_()),
    ([1, None, -(2**31)], pa.int32()),
    ([2**62, 0], pa.int64()),
    ([0.1, float("nan"), None, -0.0], pa.float64()),
    ([0.1, 2.0], pa.float32()),
    (np.arange(5), pa.int32()),
    (np.linspace(0, 1, 7)[::2], pa.float32()),
    (np.zeros(0), pa.float64()),
]


@pytest.mark.parametrize(("values", "kind"), GIVEN, ids=lambda given: str(given)[:30])
def test_column(values, kind):
    found, expected = column(values, kind), pa.array(values, kind)
    found.validate(full=True)
    assert found.type == kind
    assert found.null_count == expected.null_count
    assert repr(found.to_pylist()) == repr(expected.to_pylist())  # nan is not equal to itself


def test_numbers_are_views_of_columns():
    array = column(np.arange(10, dtype=np.float32), pa.float32())
    np.testing.assert_array_equal(numbers(array), np.arange(10))
    np.testing.assert_array_equal(numbers(array.slice(3, 4)), np.arange(3, 7))
    assert numbers(array.slice(0, 0)).shape == (0,)


def test_what_does_not_fit_is_refused():
    for values, kind in [([2**40], pa.int32()), (["one"], pa.int64()), ([1.5, "x"], pa.float64())]:
        with pytest.raises((ValueError, OverflowError)):
            column(values, kind)


def test_tables_there_and_back(tmp_path):
    schema = pa.schema([pa.field("a", pa.int32(), False, {"about": "numbers"}), pa.field("b", pa.string())])
    table = make_table({"b": ["x", None], "a": [1, 2]}, schema)
    table.validate(full=True)
    pq.write_table(table, tmp_path / "t.parquet")
    back = read_table(tmp_path / "t.parquet")
    assert back.equals(table)
    assert back.schema.field("a").metadata[b"about"] == b"numbers"
    assert read_table(tmp_path / "t.parquet", ["b"]).column_names == ["b"]
