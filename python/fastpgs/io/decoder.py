"""Decoding pictures in a process of their own, so that a decoder that crashes takes nothing with it.

Decoders are C libraries that are fed whatever a folder holds. A helper process (`fastpgs.io.helper`) gets the bytes
of a file through a pipe and answers with the pixels, for a fraction of a millisecond a small picture.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.spawn import get_executable
from typing import IO, Any

import numpy as np

from fastpgs.io.helper import ANSWER, REQUEST
from fastpgs.io.images import DEFAULT_MAX_PIXELS, ImageReadError, Picture, decode

__all__ = ["Decoder", "close_helpers", "decode_apart", "start_helper"]

PIPE_BYTES = 1 << 20
"""What a pipe should hold: a small picture as a whole, so that neither process waits for the other halfway."""

# The packages themselves stay empty: what they import, the core for one, takes longer than all that is needed here.
_PREPARE = """
import json, sys
sys.path[:], packages = json.loads(sys.argv[1])
for name, path in packages.items():
    sys.modules[name] = type(sys)(name)
    sys.modules[name].__path__ = path
"""
_START = _PREPARE + "from fastpgs.io import helper; helper.serve()"


class Decoder:
    """A helper process that decodes pictures, one at a time.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(self) -> None:
        packages = {name: list(sys.modules[name].__path__) for name in ("fastpgs", "fastpgs.io")}
        self._process = subprocess.Popen(
            # -S: what `site` would add to the path is in it.
            [get_executable(), "-S", "-c", _START, json.dumps([sys.path, packages])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the process that asked, which then closes the pipe
            # The threads of a BLAS wait for work in a loop, and there is none.
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ},
        )
        _widen(self._process.stdin, self._process.stdout)

    @property
    def pid(self) -> int:
        """Of the helper process."""
        return self._process.pid

    def decode(self, data: bytes, max_pixels: int) -> tuple[dict[str, Any], np.ndarray[Any, Any] | None]:
        """What the helper process says of a file's content, and the pixels.

        Raises
        ------
        EOFError, OSError
            If it ends before it has answered.
        """
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None  # noqa: PT018
        to.write(REQUEST.pack(max_pixels, len(data)) + data)  # at once, so that the helper is woken once
        to.flush()
        (length,) = ANSWER.unpack(_exactly(back, ANSWER.size))
        answer: dict[str, Any] = json.loads(_exactly(back, length))
        if "shape" not in answer:
            return answer, None
        pixels = np.empty(answer["shape"], answer["dtype"])
        _fill(back, pixels.reshape(-1).view(np.uint8).data)
        return answer, pixels

    def close(self) -> int:
        """End the helper process; returns its exit status, minus the signal's number if one ended it."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not sent has nobody left to take it
                pipe.close()  # type: ignore[union-attr]
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:  # it is busy with a picture that nobody waits for
            self._process.kill()
            return self._process.wait()

    def abandon(self) -> None:
        """Forget the helper process, which belongs to the process that this one was forked from."""
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()  # type: ignore[union-attr]
        self._process.returncode = 0


def decode_apart(data: bytes, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode the content of an image file as `fastpgs.io.images.decode` does, in a helper process.

    Helper processes are kept for the next picture and end after half a minute without one. Where none can be
    started, as in an application without a Python interpreter of its own, this process decodes.

    Raises
    ------
    ImageReadError
        As `decode` does; also if the decoder crashes.
    """
    decoder, used = _borrow()
    if decoder is None:
        return decode(data, name, max_pixels=max_pixels)
    try:
        answer, pixels = decoder.decode(data, max_pixels)
    except (EOFError, OSError) as error:
        status = decoder.close()
        if used:  # it may have ended while it was idle
            return decode_apart(data, name, max_pixels=max_pixels)
        raise _crash(name, status) from error
    except BaseException:
        decoder.close()
        raise
    _return(decoder)
    if pixels is None:
        raise ImageReadError(name, answer["reason"], status=answer["status"], retry=answer["retry"])
    return Picture(pixels, answer["note"])


def _widen(*pipes: IO[bytes] | None) -> None:
    """Make pipes as wide as `PIPE_BYTES`, where the system has a call for it and allows it."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        from fcntl import F_SETPIPE_SZ, fcntl

        for pipe in pipes:
            if pipe is not None:
                fcntl(pipe.fileno(), F_SETPIPE_SZ, PIPE_BYTES)


def _crash(name: str, status: int) -> ImageReadError:
    how = f"exit status {status}"
    if status < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-status).name
    if how == "SIGKILL":  # by the system, most likely
        return ImageReadError(name, "the decoder was killed (SIGKILL); is memory short?", retry=True)
    return ImageReadError(name, f"the decoder crashed on this picture ({how})")


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError(f"expected {length:,} bytes, got {len(data):,}")
    return data


def _fill(stream: IO[bytes], view: memoryview) -> None:
    done = 0
    while done < len(view):
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError(f"expected {len(view):,} bytes, got {done:,}")
        done += got


# --- the helper processes that wait for work --------------------------------------------------------------

_idle: list[Decoder] = []
_lock = threading.Lock()


def _borrow() -> tuple[Decoder | None, bool]:
    """A helper process, if there can be one, and whether it had worked before."""
    with _lock:
        if _idle:
            return _idle.pop(), True
    if getattr(sys, "frozen", False) or not get_executable():
        return None, False
    try:
        return Decoder(), False
    except OSError:  # too many processes, too little memory
        return None, False


def start_helper() -> None:
    """Start a helper process, where there can be one, that is ready by the time the first picture is read."""
    decoder, _ = _borrow()
    if decoder is not None:
        _return(decoder)


def _return(decoder: Decoder) -> None:
    with _lock:
        _idle.append(decoder)


@atexit.register
def close_helpers() -> None:
    """End the helper processes that wait for work."""
    while _idle:
        _idle.pop().close()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    while _idle:
        _idle.pop().abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
