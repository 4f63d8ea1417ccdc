"""The page of licences names every package that users' extras ask for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEVELOPERS = {"all", "test", "bench", "docs"}


def test_every_package_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        name: wants for name, wants in project["optional-dependencies"].items() if name not in DEVELOPERS
    }
    wanted = {
        re.split(r"[\[<>=~!; ]", want)[0]
        for wants in (project["dependencies"], *extras.values())
        for want in wants
    } - {"fastpgs"}
    rows = re.findall(
        r"^\| (\S+) \| (\S*) ?\| (.+) \|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE
    )
    named = {name for name, _, licence in rows if licence.strip()} - {"package", "---"}
    assert named == wanted
