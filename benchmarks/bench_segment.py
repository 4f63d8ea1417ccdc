"""pytest benchmarks/bench_segment.py --benchmark-group-by=param:size --benchmark-columns=min,median,rounds"""

from __future__ import annotations

from typing import Any

import pytest
from cases import PATHS, PEERS, SIZES, core, default, picture

import fastpgs


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("peer", PEERS)
def test_peers(benchmark: Any, peer: str, size: int) -> None:
    benchmark(PEERS[peer](picture(size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PATHS)
def test_paths(benchmark: Any, path: str, size: int) -> None:
    benchmark(PATHS[path](picture(size)))


@pytest.mark.parametrize("k", [2, 3, 4, 6, 8, 16])
@pytest.mark.parametrize("size", SIZES)
def test_clusters(benchmark: Any, size: int, k: int) -> None:
    benchmark(default(picture(size), features="rgb", k=k))


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("size", [1024, 4096])
def test_threads(benchmark: Any, size: int, threads: int) -> None:
    benchmark(core(picture(size), num_threads=threads))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_batch(benchmark: Any, threads: int) -> None:
    images = [picture(450)] * 16
    benchmark(lambda: fastpgs.segment_batch(images, num_threads=threads))
