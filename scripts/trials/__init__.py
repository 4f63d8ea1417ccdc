"""The trials of ``scripts/soak.py``, by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trials.calls import trial_fuzz, trial_loaders, trial_threads
from trials.common import Trial
from trials.disk import trial_disk
from trials.files import trial_files
from trials.kills import trial_kill, trial_train

TRIALS: dict[str, Callable[..., Iterator[Trial]]] = {
    "files": trial_files,
    "kill": trial_kill,
    "train": trial_train,
    "disk": trial_disk,
    "threads": trial_threads,
    "loaders": trial_loaders,
    "fuzz": trial_fuzz,
}
