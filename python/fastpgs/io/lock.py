"""One run a folder."""

from __future__ import annotations

import errno
import inspect
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

__all__ = ["LockedError", "lock_file", "locked"]

P = ParamSpec("P")
R = TypeVar("R")


class LockedError(RuntimeError):
    """Another run is writing to the folder."""


def lock_file(folder: Path, wait: float = 0.0) -> IO[str]:
    """Hold the folder's lock until the returned file is closed; the system frees it if the process dies.

    Raises
    ------
    LockedError
        If another process still holds it after `wait` seconds.
    """
    file = (folder / ".lock").open("a+")
    deadline = time.monotonic() + wait
    while not _try_lock(file):
        if time.monotonic() >= deadline:
            file.seek(0)
            holder = file.read(80).strip() or "unknown"
            file.close()
            raise LockedError(
                f"another run (process {holder}) is writing to {folder.name!r}; wait for it or choose another folder"
            )
        time.sleep(0.1)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def locked(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that writes to the folder `out`: the folder is made, and locked while it runs."""
    signature = inspect.signature(work)

    @wraps(work)
    def alone(*arguments: P.args, **options: P.kwargs) -> R:
        out = Path(signature.bind(*arguments, **options).arguments["out"])
        out.mkdir(parents=True, exist_ok=True)
        with lock_file(out):
            return work(*arguments, **options)

    return alone


def _try_lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True
