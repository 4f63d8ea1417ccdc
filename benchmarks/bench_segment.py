"""pytest benchmarks/bench_segment.py --benchmark-group-by=param:size --benchmark-columns=min,median,rounds"""

from __future__ import annotations

from typing import Any

import pytest
from cases import PATHS, PEERS, SIZES, core, smear_image


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("peer", PEERS)
def test_peers(benchmark: Any, peer: str, size: int) -> None:
    benchmark(PEERS[peer](smear_image(size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PATHS)
def test_paths(benchmark: Any, path: str, size: int) -> None:
    benchmark(core(smear_image(size), **PATHS[path]))
