"""Workers of Dask: a cluster of this machine's own, or one that is there."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from dse.configuration.schema import counted
from dse.problem.archive import Question
from dse.search.scale import Asked, Spread, answer
from hw.units import Rule

LOCAL = 2  # workers that are started where no number is given
AHEAD = 2  # items under way or waiting for their turn, for each worker
GONE = "scale: the scheduler is gone ({words}); what was evaluated is kept"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers; `address` null starts one here, of `workers` processes with `threads` each.

    patience : seconds to wait for the scheduler, and for its first worker.
    """

    address: str | None = None
    workers: int | None = None
    threads: int = 1
    memory: str | float = "auto"
    patience: float = 10.0

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else counted(f"scale.{name}", given))
        try:
            object.__setattr__(self, "patience", Rule(above=0).read(self.patience))
        except ValueError as error:
            raise ValueError(f"scale.patience: {error}") from None

    @contextlib.contextmanager
    def spread(self, question: Question) -> Iterator[Any]:
        """The question, answered by the workers for as long as they are wanted."""
        with self.client() as client:
            yield Spread(question, DaskWorkers(client, self.workers or len(client.nthreads())))

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """A client of the scheduler, once it answers and has a worker."""
        distributed = _distributed()
        if self.address is None:
            with self._local(distributed) as cluster, distributed.Client(cluster, set_as_default=False) as client:
                client.wait_for_workers(1)
                yield client
            return
        with self._connected(distributed) as client:
            try:
                client.wait_for_workers(1, timeout=self.patience)
            except TimeoutError:
                raise ConnectionError(
                    f"scale.address: the scheduler at {self.address} has had no worker for {self.patience:g} s; "
                    f"start one (dask worker {self.address} --nthreads 1), or raise scale.patience"
                ) from None
            yield client

    def _local(self, distributed: Any) -> Any:
        from dask.utils import parse_bytes

        try:
            memory = self.memory if self.memory == "auto" else parse_bytes(self.memory)
        except ValueError:
            raise ValueError(f"scale.memory: {self.memory!r} is no amount; write it like '4 GB', or auto") from None
        return distributed.LocalCluster(
            n_workers=self.workers or LOCAL,
            threads_per_worker=1,  # of Dask; the threads of the computation are `environment`'s
            memory_limit=memory,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            env=environment(self.threads),
        )

    def _connected(self, distributed: Any) -> Any:
        try:
            return distributed.Client(self.address, timeout=self.patience, set_as_default=False)
        except (OSError, ValueError) as error:  # a time-out is an OSError
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConnectionError(
                f"scale.address: no scheduler answers at {self.address!r} within {self.patience:g} s ({words}); "
                "start one (dask scheduler), name another address, or scale.address=null for workers of this machine"
            ) from None


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ValueError("scale=dask: Dask is not installed; pip install 'inferscape[scale]'") from None
    return distributed


def environment(threads: int) -> dict[str, str]:
    """What keeps a worker to its threads, and workers on one accelerator from each taking all of its memory.

    XLA takes the size of its pool from NPROC. Its flags stay those of this process, so that what is compiled here is
    found by workers in the cache on disk, and the other way round.
    """
    names = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(names, str(threads)) | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


@dataclasses.dataclass(frozen=True)
class DaskWorkers:
    """The workers of a client's scheduler; `count` shares of a batch."""

    client: Any
    count: int

    def each(self, question: Any, function: Asked, items: Iterable[Any]) -> Iterator[Any]:
        """`function(question, item)` for each item, in their order.

        What is done is fetched at once, so that a worker that is lost costs what it is at; Dask gives that to another.
        """
        from distributed import as_completed

        waiting: dict[Any, int] = {}
        done: dict[int, Any] = {}
        ready = as_completed(loop=self.client.loop)
        numbered, most = enumerate(items), AHEAD * self.count
        try:
            for turn in itertools.count():
                while turn not in done:
                    free = most - len(waiting) - len(done)
                    for number, item in itertools.islice(numbered, max(free, 0)):
                        future = self._submitted(question, function, item)
                        waiting[future] = number
                        ready.add(future)
                    if not waiting:
                        return
                    future = next(ready)
                    done[waiting.pop(future)] = result_of(future)
                yield done.pop(turn)
        finally:
            if waiting and self.client.status == "running":
                self.client.cancel(list(waiting))

    def _submitted(self, *given: Any) -> Any:
        from distributed.client import ClosedClientError

        try:
            return self.client.submit(answer, *given, pure=False)
        except ClosedClientError:
            raise ConnectionError(GONE.format(words="connection lost")) from None


def result_of(future: Any) -> Any:
    """What a worker answered, or its error; an error of the cluster in words."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise ConnectionError(
            f"scale: {error.allowed_failures + 1} workers stopped one after the other at the same chunk; that is "
            "mostly memory: lower search.batch or search.chunk, or give workers more (scale.memory)"
        ) from None
    except CancelledError as error:
        words = str(error).splitlines()[0] if str(error) else "connection lost"
        raise ConnectionError(GONE.format(words=words)) from None
