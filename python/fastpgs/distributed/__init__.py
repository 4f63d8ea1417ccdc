"""Runs on the workers of a Dask cluster.

A task is one block of inputs, or some tiles of a slide. Workers write part files straight into the output
folder, which every machine must see under the same path, atomically and with the same content however often a
task is run; so the folder is that of a run on one machine, and either can go on with what the other has begun.
The client holds the folder's lock and makes the tables in the end.
"""

from fastpgs.distributed.client import classify, connect
from fastpgs.distributed.errors import SchedulerError, WorkerMismatchError

__all__ = ["SchedulerError", "WorkerMismatchError", "classify", "connect"]
