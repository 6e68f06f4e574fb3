"""The one place that knows Ray: seeds of runs go to a cluster, and what became of them comes back."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import socket
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from repro import devices, lock, registry, runner
from repro._context import append
from repro.display import Display
from repro.errors import ExperimentError, UserError, reason
from repro.identity import versions
from repro.runner import Job
from repro.sweep import changed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from repro.experiment import Preset
    from repro.sweep import Point

# Read when ray is imported. Nothing is reported to anyone; and under `uv run` Ray would copy the whole
# working directory to every worker and start each with `uv run` again.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}
STORE = 100 * 2**20  # bytes of shared memory for passed objects, of which a sweep has none
CONNECT = 10  # seconds in which the head must take a connection
ANSWER = 120  # seconds in which a node must answer; the first worker of a cold node imports for many


@dataclass(frozen=True)
class Task:
    """One seed of one run.

    Attributes:
        point: of the grid.
        seed: below `point.job.seeds`.
        folder: of the run; every node must see it.
        tries: how often a worker has died over it.
    """

    point: Point
    seed: int
    folder: Path
    tries: int = 0

    @property
    def name(self) -> str:
        """The run and the seed, for messages."""
        return f"{self.point.name}, seed {self.seed}"

    @property
    def minutes(self) -> float:
        """How long it is expected to take."""
        return self.point.job.minutes / self.point.job.seeds


@dataclass(frozen=True)
class Ended:
    """What became of a task.

    Attributes:
        task: that ended.
        error: one sentence, None where it is done.
        died: whether the error is that of the worker or its node, not of the experiment.
    """

    task: Task
    error: str | None = None
    died: bool = False


@dataclass(frozen=True, kw_only=True)
class Order:
    """A task as it goes to a worker: plain values, so that the app is imported only when `work` says so."""

    name: str
    preset: Preset
    varied: Mapping[str, Any]
    seeds: int
    device: str
    data: Path | None
    packages: Mapping[str, str]
    seed: int
    folder: Path
    threads: int
    shares_gpu: bool


class Cluster:
    """A cluster to which this process is connected; made by `connect`."""

    def __init__(self, ray: Any, *, cpus: float, gpus: float):
        self._ray = ray
        self._cpus, self._gpus = cpus, gpus
        self._running: dict[Any, Task] = {}
        # What a worker dies of is seen here and counted; so Ray itself tries nothing again.
        self._work = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(work)
        self._check_size()

    def __str__(self) -> str:
        nodes = self._nodes()
        parts = [f"{_total(nodes, 'CPU'):g} CPUs"]
        if gpus := _total(nodes, "GPU"):
            parts.append(f"{gpus:g} GPUs")
        return f"{len(nodes)} node{'s' if len(nodes) > 1 else ''} with {' and '.join(parts)}"

    def check_shared(self, runs: Path) -> None:
        """Sees that every node has the same folder of runs, and that locks reach from one to the other.

        Raises:
            UserError: a node does not see it, or its locks; the message names the node.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        name = f".sweep-{uuid.uuid4().hex}"
        remote = self._ray.remote(num_cpus=0, max_retries=0)(look)
        try:
            with lock.hold(runs, wait=False, name=name):
                answers = [
                    remote.options(
                        scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                    ).remote(runs.resolve(), name)
                    for node in self._nodes()
                ]
                faults = [fault for fault in self._ray.get(answers, timeout=ANSWER) if fault]
        except self._ray.exceptions.RayError as error:
            raise UserError(
                f"A node of the cluster does not answer ({reason(error)}). See `ray status`."
            ) from error
        finally:
            (runs / name).unlink(missing_ok=True)
        if faults:
            raise UserError(" ".join(faults))

    def submit(self, task: Task) -> None:
        """Queues a task."""
        job = task.point.job
        order = Order(
            name=job.experiment.name,
            preset=job.preset,
            varied=task.point.varied,
            seeds=job.seeds,
            device=job.device,
            data=job.data.resolve() if job.data else None,
            packages=task.point.identity.packages,
            seed=task.seed,
            folder=task.folder.resolve(),
            threads=max(1, int(self._cpus)),
            shares_gpu=0 < self._gpus < 1,
        )
        self._running[self._work.remote(order)] = task

    def ended(self, timeout: float) -> list[Ended]:
        """Waits for tasks to end; returns those that did, none after the timeout in seconds."""
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        return [self._result(reference) for reference in ready]

    def _result(self, reference: Any) -> Ended:
        task = self._running.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, (UserError, ExperimentError)):
                return Ended(task, str(cause))
            return Ended(task, f"{type(cause).__name__}: {reason(cause)}. The log: {task.folder / 'log.txt'}")
        except self._ray.exceptions.RayError as error:
            return Ended(task, f"its worker died ({type(error).__name__})", died=True)
        return Ended(task)

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _check_size(self) -> None:
        """Sees that a task fits on a node; Ray would wait for such a node forever."""
        nodes = [node["Resources"] for node in self._nodes()]
        if any(n.get("CPU", 0) >= self._cpus and n.get("GPU", 0) >= self._gpus for n in nodes):
            return
        has = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in nodes)
        raise UserError(
            f"A task of --cpus {self._cpus:g} and --gpus {self._gpus:g} fits on no node. There are: {has}."
        )


@contextmanager
def connect(address: str | None, *, cpus: float, gpus: float) -> Iterator[Cluster]:
    """Starts a cluster on this machine, or connects to a running one; leaves it in the end.

    Args:
        address: `host:port` or `auto` of a cluster that this machine belongs to; None starts one of its own.
        cpus: of each task; its number of threads, too.
        gpus: of each task, a fraction where several share one.

    Raises:
        UserError: ray is not installed, no cluster answers, or a task fits on none of its nodes.
    """
    variables = QUIET if address else QUIET | _private()
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError as error:
        raise UserError(
            "repro sweep needs Ray. In a clone of Piecewise: uv run --group sweep repro sweep ..., or "
            'pip install "./apps/repro[sweep]".'
        ) from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        _check_listens(address)
        options |= {"address": address}
    else:
        options |= {"address": "local", "include_dashboard": False, "object_store_memory": STORE}
        options |= {"_node_ip_address": "127.0.0.1"}
    try:
        ray.init(**options)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        if address:
            raise UserError(_no_cluster(address, error)) from error
        raise UserError(f"Ray cannot start on this machine ({reason(error)}).") from error
    in_a_hurry = False
    try:
        yield Cluster(ray, cpus=cpus, gpus=gpus)
    except KeyboardInterrupt:
        in_a_hurry = address is None
        raise
    finally:
        if in_a_hurry:
            atexit.register(_end_at_once)  # runs before what Ray has registered
        else:
            ray.shutdown()


def _end_at_once() -> None:
    """Ends this process; its cluster then ends by itself, for which we would wait seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(130)


def work(order: Order) -> None:
    """Does one seed; runs in a worker.

    Raises:
        ExperimentError: the experiment failed.
        UserError: this node lacks the app, the versions, the folder or the GPU.
    """
    host = socket.gethostname()
    # read by the libraries when the app imports them
    os.environ["OMP_NUM_THREADS"] = str(order.threads)
    if order.shares_gpu:  # JAX would take three quarters of the memory
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if order.name not in registry.entry_points():
        raise UserError(f"{host} has no experiment {order.name}. Install the same apps on every node.")
    experiment = registry.load(order.name)
    there = versions(experiment)
    if there != dict(order.packages):
        other = [
            f"{name} {there.get(name)}, not {want}"
            for name, want in order.packages.items()
            if there.get(name) != want
        ]
        raise UserError(f"{host} has {'; '.join(other)}. Install the same versions on every node.")
    if not order.folder.is_dir():
        raise UserError(_unseen(host, order.folder))
    if order.device == "cuda":
        devices.choose("cuda", experiment)
    job = Job(
        experiment=experiment,
        settings=changed(experiment, order.preset, order.varied),
        preset=order.preset,
        seeds=order.seeds,
        device=order.device,
        data=order.data,
    )
    append(order.folder / "log.txt", f"seed {order.seed}: given to process {os.getpid()} on {host}")
    runner.run_seed(job, order.seed, order.folder, display=Display(Console(quiet=True)))


def look(runs: Path, name: str) -> str | None:
    """Says what keeps this node from working in the folder of the runs; the caller holds the lock `name`."""
    host = socket.gethostname()
    if not (runs / name).exists():
        return _unseen(host, runs)
    try:
        with lock.hold(runs, wait=False, name=name):
            return (
                f"On {host} the locks that another node holds in {runs} are not seen. Put --runs on a file "
                f"system whose locks reach all nodes, such as NFS 4."
            )
    except UserError:
        return None  # held, as it should be


def _private() -> dict[str, str]:
    """The variables of a cluster that is this command's alone."""
    return {
        # only this command may use it; Ray would keep a secret of its own making in the home folder
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def _check_listens(address: str) -> None:
    """Sees within seconds that somebody listens; Ray would try for many minutes, then end the process."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"--address {address}: write it as host:port, or auto.")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT).close()
    except OSError as error:
        raise UserError(_no_cluster(address, error)) from error


def _no_cluster(address: str, error: Exception) -> str:
    remedy = "Start one with `ray start --head`, or leave --address out for one on this machine alone."
    return f"--address {address}: no Ray cluster answers ({reason(error)}). {remedy}"


def _unseen(host: str, folder: Path) -> str:
    return (
        f"{host} does not see the folder {folder}. Put --runs on a file system that all nodes share under "
        f"the same path."
    )


def _total(nodes: list[dict[str, Any]], resource: str) -> float:
    return sum(node["Resources"].get(resource, 0) for node in nodes)
