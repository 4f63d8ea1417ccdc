"""How the C library hands memory back to the system."""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
MAPPED_FROM = 32 << 20  # the most that glibc allows
TRIMMED_FROM = 64 << 20
DASK_TRIM = "65536"


def keep_freed_memory() -> bool:
    """Have glibc keep freed arrays of the size of pictures for the next ones; returns whether it does now.

    By default arrays of a megabyte and more come fresh from the system again and again, and each of their
    pages costs a fault: a tenth of the CPU time of a run of small fields, a fourth under the setting that
    Dask starts its workers with. What the process needs at most stays the same. For processes that are
    fastpgs' own, such as the command line and Dask workers; what a user has set (``MALLOC_TRIM_THRESHOLD_``,
    ``MALLOC_MMAP_THRESHOLD_``, ``GLIBC_TUNABLES``) stays. Other C libraries are left alone.
    """
    if os.environ.get("MALLOC_TRIM_THRESHOLD_", DASK_TRIM) != DASK_TRIM:
        return False
    if "MALLOC_MMAP_THRESHOLD_" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MAPPED_FROM) and mallopt(M_TRIM_THRESHOLD, TRIMMED_FROM))
