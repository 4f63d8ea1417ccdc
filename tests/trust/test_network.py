"""Nothing reaches for the network: sockets are blocked, and everything works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from standin import save_pictures

BLOCKED = """
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError("the network was reached for: " + repr(arguments))

class Socket(socket.socket):
    __init__ = refuse
    connect = refuse

socket.socket = Socket
socket.create_connection = refuse
socket.getaddrinfo = refuse
socket.gethostbyname = refuse

def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.Request", "http.client.connect"):
        raise AssertionError(f"the network was reached for: {event} {arguments}")

sys.addaudithook(audit)
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_block_blocks(tmp_path: Path) -> None:
    code = (
        "import urllib.request\n"
        "try:\n    urllib.request.urlopen('http://localhost:9/')\n"
        "except AssertionError as error:\n    print('blocked')"
    )
    assert run(code, tmp_path) == "blocked\n"


def test_import_segment_cells_and_classify(tmp_path: Path) -> None:
    save_pictures(tmp_path / "in", 3)
    code = """

import fastpgs
for name in fastpgs.__all__:
    getattr(fastpgs, name)
from fastpgs import synth
image = synth.smear((160, 160), seed=1, n_blasts=1, n_normals=1).image
fastpgs.segment(image)
fastpgs.find_cells(image)
from fastpgs.cli import run
assert run(["classify", "in", "--out", "out", "--csv", "--overlays", "-q"]) == 0
assert run(["classify", "in", "--out", "out", "--csv", "--overlays", "--resume", "-q"]) == 0
assert run(["info"]) == 0
"""
    run(code, tmp_path)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert not any(f'{where}="http' in page for where in ("src", "href", "action"))
