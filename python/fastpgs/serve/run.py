"""Serving until stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn

from fastpgs.serve.app import LOCAL_HOSTS, Limits, make_app

__all__ = ["run"]


def run(
    model: Any,
    host: str,
    port: int,
    allow_hosts: Sequence[str],
    limits: Limits,
    ready: Callable[[str], None],
) -> None:
    """Serve the page on ``host:port`` until Ctrl-C; ``ready`` is told its address.

    Raises
    ------
    OSError
        The address cannot be listened on.
    """
    own = () if host in ("0.0.0.0", "::", *LOCAL_HOSTS) else (host,)
    app = make_app(model, hosts=(*LOCAL_HOSTS, *own, *allow_hosts), limits=limits)
    with socket.create_server((host, port)) as listening:
        ready(f"http://{host}:{listening.getsockname()[1]}/")
        config = uvicorn.Config(app, log_level="warning", server_header=False, access_log=False)
        uvicorn.Server(config).run(sockets=[listening])
