"""Tasks on the workers of a Dask cluster; results come back to this process, which alone writes files."""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dnn_topology._checks import DnnTopologyError
from dnn_topology._packages import pip_install
from dnn_topology.work.isolate import Failure, attempt

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")
Result = TypeVar("Result")
CONNECT = 15.0  # seconds to reach the scheduler
POLL = 2.0  # seconds between two looks at whether the cluster is still there
GONE = 30.0  # seconds after which a scheduler that was lost is given up
ONE_AT_A_TIME = threading.Lock()  # a worker with several threads would share torch's random state among tasks


class LostSchedulerError(DnnTopologyError):
    """The scheduler went away while tasks were running.

    Args:
        scheduler: Its address.
    """

    def __init__(self, scheduler: str) -> None:
        super().__init__(
            f"lost the Dask scheduler at {scheduler}: what is finished is kept; start it again and run the same command"
        )


def on_cluster(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    scheduler: str,
    say: Callable[[str], None] | None = None,
) -> Iterator[tuple[Task, Result | Failure]]:
    """Do some work on the workers of a Dask cluster. A task whose worker dies goes to another one.

    Args:
        work: What to do with a task; importable on the workers.
        tasks: The tasks.
        scheduler: The address of the scheduler, such as tcp://host:8786.
        say: Called with what the user should know while nothing is finished: that there is no worker yet.

    Yields:
        (task, result or failure) as each is finished. Leaving the loop, also by an exception, cancels the others.

    Raises:
        DnnTopologyError: The package `distributed` is missing, or the scheduler cannot be reached, or is lost.
    """
    client = _connected(scheduler)
    run = uuid.uuid4().hex[:8]  # another run's tasks, cancelled or failed, are none of ours
    futures: dict[Any, Task] = {}
    try:
        for number, task in enumerate(tasks):
            futures[client.submit(work_alone, work, task, key=f"dnn-topology-{number}-{run}", pure=False)] = task
        if say and not client.scheduler_info()["workers"]:
            say("no worker has connected to the scheduler yet: waiting for one")
        while futures:
            for future in _finished(client, list(futures), scheduler):
                outcome = _outcome(future, scheduler)
                task = futures.pop(future)
                future.release()
                yield task, outcome
    finally:
        with silent_logs():
            for future in futures:
                future.release()  # which cancels what nobody else waits for
            client.close(timeout=CONNECT)


@contextlib.contextmanager
def silent_logs() -> Iterator[None]:
    """Keep back what a client of Dask logs while it is closed: the traceback of reconnecting to a lost scheduler.

    Yields:
        Nothing.
    """
    handlers = [*logging.getLogger("distributed").handlers]
    for handler in handlers:
        handler.addFilter(_nothing)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    """Return that a record is not shown."""
    return False


def work_alone(work: Callable[[Task], Result], task: Task) -> Result | Failure:
    """Do one task on a worker, on one thread and alone in its process."""
    from dnn_topology.work.computer import use_threads

    with ONE_AT_A_TIME:
        use_threads(1)
        return attempt(work, task)


def _connected(scheduler: str) -> Client:
    """Return a client of the scheduler.

    Raises:
        DnnTopologyError: `distributed` is missing, Dask's configuration does not encrypt as the address asks, or there
            is no scheduler at that address.
    """
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise DnnTopologyError(
            f"a Dask scheduler needs the package distributed: {pip_install('distributed')}"
        ) from error
    try:
        security = (
            Security()
        )  # of Dask's configuration; a client that lacks it ends with a traceback, half a minute later
        encrypts, must = security.get_connection_args("client")["ssl_context"] is not None, security.require_encryption
    except OSError as error:
        raise DnnTopologyError(f"the certificates that Dask's configuration names cannot be read: {error}") from error
    tls = scheduler.startswith("tls://")
    if (tls and not encrypts) or (must and not tls):
        raise DnnTopologyError(
            f"{scheduler} asks for TLS, and Dask's configuration names no certificates: see docs/cluster.md"
            if tls
            else f"Dask's configuration requires encryption, which {scheduler} has not: name an address tls://host:8786"
        )
    try:
        return Client(scheduler, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:  # a timeout is an OSError too
        raise DnnTopologyError(
            f"no Dask scheduler at {scheduler} ({type(error).__name__}): start one with `dask scheduler`, or check the "
            "address; what is finished is kept"
        ) from error


def _finished(client: Client, futures: Sequence[Future], scheduler: str) -> list[Future]:
    """Wait until some futures are done, and return them.

    Raises:
        LostSchedulerError: The scheduler is gone for good.
    """
    from distributed import wait

    silent = 0.0
    while True:
        try:
            with client.as_current():  # `wait` asks for no client and takes the current one
                done = wait(futures, timeout=POLL, return_when="FIRST_COMPLETED").done
            return [future for future in futures if future in done]
        except TimeoutError:
            silent = 0.0 if client.status == "running" else silent + POLL
            if silent >= GONE:
                raise LostSchedulerError(scheduler) from None
        except Exception as error:  # a client that was closed under us raises its own kinds
            if type(error).__name__ in {"CancelledError", "FuturesCancelledError"}:
                raise LostSchedulerError(scheduler) from error
            raise


def _outcome(future: Future, scheduler: str) -> Any:
    """Return what a finished future gave.

    Raises:
        LostSchedulerError: It was lost with the scheduler.
    """
    if future.status == "finished":
        try:
            result = future.result(timeout=60)
        except TimeoutError as error:
            raise LostSchedulerError(scheduler) from error
        return result
    if future.status == "error":
        reason = future.exception(timeout=60)
        if type(reason).__name__ == "KilledWorker":
            return Failure("killed", "every worker that had it died, most likely for want of memory")
        return Failure("fault", f"{type(reason).__name__}: {reason}")
    raise LostSchedulerError(scheduler)
