"""The ``fastpgs`` command: parses and calls; the work is done elsewhere.

Exit codes: 0 every input was judged, 1 some were not (or something failed), 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastpgs.cli._examples import EXAMPLES

if TYPE_CHECKING:
    import typer

__all__ = ["COMMANDS", "main", "make_app", "run"]

COMMANDS = (
    "classify",
    "segment",
    "demo",
    "serve",
    "data",
    "train",
    "crossval",
    "compare",
    "evaluate_cells",
    "export",
    "model_summary",
    "bench",
    "info",
)
"""Modules of this package that may hold commands, in the order of the help; each has ``register(app)``."""

EPILOG = "Research use only. Not a medical device. 'fastpgs COMMAND --help' has examples."


def make_app() -> typer.Typer:
    """The application with every command that is there. Imports nothing heavy: commands do when they run."""
    import typer

    app = typer.Typer(
        name="fastpgs",
        help="Find and judge leukemic blasts in stained blood smears.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def fastpgs(
        version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
    ) -> None:
        if version:
            import fastpgs

            typer.echo(f"fastpgs {fastpgs.__version__}")
            raise typer.Exit

    for name in COMMANDS:
        try:
            module = importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
        else:
            module.register(app)
    for command in app.registered_commands:
        if command.epilog is None and command.name in EXAMPLES:
            command.epilog = f"Example: {EXAMPLES[command.name]}"
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Errors are one line on stderr."""
    import typer

    warnings.showwarning = _show_warning
    # Damaged files are reported as rows of the result; the reader's own log of them says it again.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        code = typer.main.get_command(make_app()).main(
            args=list(arguments), prog_name="fastpgs", standalone_mode=False
        )
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        # The reader of our output has left (`fastpgs ... | head`): say no more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort) as error:
        return _complain(str(error) or "stopped", 130)
    except Exception as error:
        if os.environ.get("FASTPGS_DEBUG"):
            raise
        return _explain(error)


def _explain(error: Exception) -> int:
    if hasattr(error, "format_message"):  # the parser's own errors
        context = getattr(error, "ctx", None)
        hint = f" (see '{context.command_path} --help')" if context is not None else ""
        return _complain(f"{error.format_message()}{hint}", int(getattr(error, "exit_code", 2)))
    if isinstance(error, ModuleNotFoundError):
        return _complain(f"{error}; install what is missing with: pip install 'fastpgs[all]'", 2)
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return _complain(f"{error.strerror}{where}", 1)
    from fastpgs.io.images import ImageReadError
    from fastpgs.io.lock import LockedError

    text = str(error) or type(error).__name__
    if isinstance(error, (ImageReadError, ConnectionError)):
        return _complain(text, 1)
    usage = isinstance(error, (ValueError, TypeError, FileNotFoundError, LockedError))
    if not usage:
        text = f"{type(error).__name__}: {text} (FASTPGS_DEBUG=1 shows where)"
    return _complain(text, 2 if usage else 1)


def _complain(text: str, code: int) -> int:
    print(f"fastpgs: {' '.join(text.split())}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"fastpgs: warning: {' '.join(str(message).split())}", file=sys.stderr)


def main() -> None:
    """The console script."""
    try:
        import typer  # noqa: F401
    except ModuleNotFoundError:
        print(
            "fastpgs: the command line needs more packages: pip install 'fastpgs[classify]'", file=sys.stderr
        )
        sys.exit(2)
    from fastpgs.inference.memory import keep_freed_memory

    keep_freed_memory()
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if code == 130:
        # Threads may still be at work on a picture; nothing that they do is needed any more.
        os._exit(code)
    sys.exit(code)
