"""Sessions for `nox`; `nox -s docs` builds the documentation site, `nox -s sbom` the bill of materials."""

import nox


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site with warnings as errors, then run the examples in docstrings."""
    if session.venv_backend != "none":
        session.install(".[docs]", "-c", "constraints.txt")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")
    session.run(
        *("sphinx-build", "-W", "-q", "-b", "doctest", "docs", "docs/_build/doctest"),
        env={"FASTPGS_GALLERY": "0"},
    )


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite."""
    session.install(".[test]", "-c", "constraints.txt")
    session.run("pytest", *session.posargs)


@nox.session
def sbom(session: nox.Session) -> None:
    """Write build/sbom.cdx.json (CycloneDX) and build/licences.md: all that the extra `all` installs."""
    session.install("cyclonedx-bom", "pip-licenses", "-c", "constraints.txt")
    session.run("python", "-m", "venv", "--clear", "build/sbom")  # nothing but the package and what it needs
    python = "build/sbom/bin/python"
    session.run(python, "-m", "pip", "install", "-q", ".[all]", "-c", "constraints.txt", external=True)
    session.run(
        *("cyclonedx-py", "environment", "--pyproject", "pyproject.toml", "--mc-type", "library"),
        *("--output-reproducible", "--validate", "-o", "build/sbom.cdx.json", python),
    )
    session.run(
        *("pip-licenses", f"--python={python}", "--from=mixed", "--format=markdown"),
        "--output-file=build/licences.md",
    )
