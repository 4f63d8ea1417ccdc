"""What can go wrong between a client and its workers."""

from __future__ import annotations

__all__ = ["SchedulerError", "WorkerMismatchError", "gone", "mismatch"]


class SchedulerError(ConnectionError):
    """The scheduler or its workers do not answer, or no longer; the message says what to do."""


class WorkerMismatchError(ValueError):
    """A worker would judge with other versions or another model than the client asks for."""


def gone(why: str) -> SchedulerError:
    """The scheduler was there and is no more."""
    return SchedulerError(
        f"the Dask scheduler is gone ({' '.join(why.split())[:200]}); what is done is saved: start it and its"
        " workers again, and --resume goes on"
    )


def mismatch(who: str, changed: list[str]) -> WorkerMismatchError:
    """`changed` is of `fastpgs.inference.parts.differences`, the client's values first."""
    text = "; ".join(change.replace(" was ", " is ", 1).replace(", is ", " here, ", 1) for change in changed)
    return WorkerMismatchError(
        f"{who} differs from the client: {text} there. Install the same versions and model on all machines"
    )
