"""The code base itself: style, types, and stubs that match the extension."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_lint() -> None:
    run(sys.executable, "-m", "ruff", "check", ".")


def test_ruff_format() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_mypy() -> None:
    run(sys.executable, "-m", "mypy")


def test_stub_matches_the_core() -> None:
    given = ("--allowlist", "tests/stubtest-allowlist.txt", "--mypy-config-file", "tests/stubtest.ini")
    run(sys.executable, "-m", "mypy.stubtest", "fastpgs._core", *given)


def test_clang_format() -> None:
    tool = shutil.which("clang-format", path=str(Path(sys.executable).parent)) or shutil.which("clang-format")
    assert tool is not None, "clang-format comes with the extra 'test'"
    sources = [str(p) for p in sorted((ROOT / "cpp").rglob("*")) if p.suffix in (".cpp", ".hpp")]
    run(tool, "--dry-run", "--Werror", *sources)


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports test files by name alone: a second of the same name ends the collection."""
    names = [p.name for p in sorted((ROOT / "tests").rglob("test_*.py"))]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"give these test files names of their own: {twice}"


@pytest.mark.parametrize("limit", [600])
def test_files_stay_readable(limit: int) -> None:
    sources = [p for folder in ("python", "cpp", "tests") for p in (ROOT / folder).rglob("*")]
    long = {
        str(p.relative_to(ROOT)): lines
        for p in sources
        if p.suffix in (".py", ".cpp", ".hpp") and (lines := len(p.read_text().splitlines())) > limit
    }
    assert not long, f"split these files, which pass {limit} lines: {long}"
