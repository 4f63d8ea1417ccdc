"""The process that decodes pictures for `fastpgs.io.decoder`. Imports little: its start is waited for.

to the helper    pixel limit, number of bytes (two uint64), the bytes
back             number of bytes (uint64), a JSON object, and the pixels if it tells of any
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import sys
import threading
import time
from typing import IO, Any

from .errors import ImageReadError
from .images import decode_raw

__all__ = ["ANSWER", "REQUEST", "serve"]

IDLE_SECONDS = 30.0
"""Seconds without work after which the process ends by itself."""

REQUEST, ANSWER = struct.Struct("<QQ"), struct.Struct("<Q")


def serve() -> None:
    """Answer requests until there are no more; the whole life of a helper process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there are no process groups
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not answer
    _warm_up()
    watch = _Watch()  # of the time without work: that before a request could be read is none
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        max_pixels, length = REQUEST.unpack(head)
        with watch.busy():
            answer, pixels = _answer(requests.read(length), max_pixels)
            text = json.dumps(answer).encode()
            _write(answers, [ANSWER.pack(len(text)) + text, *([] if pixels is None else [pixels])])
    os._exit(0)  # there is nothing to put away


def _write(stream: IO[bytes], pieces: list[bytes | memoryview]) -> None:
    """Write pieces one after the other, and wake the reader once, if all of them fit into the pipe."""
    left = [memoryview(piece) for piece in pieces]
    while left:
        done = os.writev(stream.fileno(), left) if hasattr(os, "writev") else stream.write(left[0])
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if left:
            left[0] = left[0][done:]


def _warm_up() -> None:
    """Import what the first picture will need, before it comes."""
    with contextlib.suppress(Exception):  # what is wrong with it is said of the picture
        from PIL import Image, JpegImagePlugin  # noqa: F401

        from . import pillow  # noqa: F401


def _answer(data: bytes, max_pixels: int) -> tuple[dict[str, Any], bytes | memoryview | None]:
    try:
        picture = decode_raw(data, "", max_pixels=max_pixels)
    except ImageReadError as error:
        return {"reason": error.reason, "status": error.status, "retry": error.retry}, None
    return {"shape": picture.shape, "dtype": picture.dtype, "note": picture.note}, picture.data


class _Watch:
    """Ends the process after a while without work, should the one that started it have no more of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = time.monotonic()
        threading.Thread(target=self._wait, daemon=True).start()

    @contextlib.contextmanager
    def busy(self) -> Any:
        with self._lock:
            yield
            self._last = time.monotonic()

    def _wait(self) -> None:
        while True:
            with self._lock:
                left = self._last + IDLE_SECONDS - time.monotonic()
                if left <= 0:
                    os._exit(0)
            time.sleep(left)
