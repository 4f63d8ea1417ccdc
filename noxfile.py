"""Sessions for `nox`; `nox -s docs` builds the documentation site."""

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
