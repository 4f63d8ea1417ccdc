"""The benchmark measures what it says: the same labels on both sides, ratios that follow from the times."""

from __future__ import annotations

import json

import pytest

from fastpgs import bench


def test_rows_are_consistent() -> None:
    rows = bench.run([48], ["rgb, given pivots", "gray"], budget=0.0)
    assert [row.case for row in rows] == ["rgb, given pivots", "gray"]
    for row in rows:
        assert row.equal
        assert row.ratio == pytest.approx(row.reference_ms / row.core_ms)
        assert row.ns_per_pixel == pytest.approx(row.core_ms * 1e6 / 48**2)


def test_large_images_are_tiled() -> None:
    assert bench.smear_image(700).shape == (700, 700, 3)


def test_unknown_case() -> None:
    with pytest.raises(ValueError, match="got \\['fast'\\]"):
        bench.run([48], ["fast"])


def test_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("typer")
    from fastpgs.cli import run

    assert run(["bench", "--size", "48", "--seconds", "0", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["rows"]) == len(bench.CASES)
    assert printed["environment"]["threads"] >= 1
