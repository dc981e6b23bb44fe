"""A whole Slurm on this machine, for as long as a test needs it: munged, slurmctld and slurmd.

    with loopback_slurm() as cluster:
        subprocess.run(["sbatch", ...], env={**os.environ, **cluster.environment})

Nothing of a Slurm that the machine may have is used or changed: key, settings, state and logs are
in a temporary folder, the ports are free ones of the loopback address, and each program is started
here and stopped here. Neither systemd nor cgroups nor accounting are needed; root or any user will
do.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

DAEMONS = ("munged", "slurmctld", "slurmd")
PROGRAMS = (*DAEMONS, "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
# Debian puts the daemons where only root looks for programs.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
NODE = "loopback"
_WAIT_SECONDS = 60.0
_JOBS_SECONDS = 300.0
_POLL_SECONDS = 0.1
_SETTINGS = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8192
PartitionName=test Nodes={node} Default=YES MaxTime=60 State=UP
"""
T = TypeVar("T")


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if not shutil.which(name, path=PATH)]


@dataclass(frozen=True)
class Job:
    """A job as the cluster lists it; Snakemake writes the rule into its comment."""

    number: str
    state: str
    comment: str


@dataclass
class Cluster:
    """A running Slurm of one node; `environment` leads its commands, and the jobs, to it."""

    folder: Path
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ask(self, *words: str) -> str:
        """Return what a command of Slurm prints; nothing while the controller does not answer."""
        return subprocess.run(
            words, env={**os.environ, **self.environment}, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=_WAIT_SECONDS,
        ).stdout  # fmt: skip

    def jobs(self, rule: str | None = None) -> list[Job]:
        """Return the jobs, those that ended too, in the order of their submission."""
        said = self.ask("squeue", "--states=all", "--noheader", "--format=%A|%T|%k")
        found = [Job(*line.split("|", 2)) for line in said.splitlines()]
        found.sort(key=lambda job: int(job.number))
        return [
            job for job in found
            if rule is None or job.comment.partition("_wildcards_")[0] == f"rule_{rule}"
        ]  # fmt: skip

    def running_job(self, rule: str) -> Job:
        """Return the first job of a rule that runs, as soon as it does.

        Jobs of other rules come before it, and on a busy machine each of them takes its time.
        """
        return self.until(
            lambda: next((job for job in self.jobs(rule) if job.state == "RUNNING"), None),
            f"a running job of rule {rule}",
            _JOBS_SECONDS,
        )

    def state(self, job: Job) -> str:
        """Return the state that a job is in now."""
        return next(found.state for found in self.jobs() if found.number == job.number)

    def cancel(self, job: Job) -> None:
        """Kill a job, as its owner or the administrator would."""
        self.ask("scancel", job.number)

    @contextlib.contextmanager
    def node_down(self) -> Iterator[None]:
        """Be without slurmd, as while it is restarted; what runs on the node is not told."""
        before = self._node_since()
        self._stop("slurmd")
        yield
        self._start_node()
        self.until(lambda: self._node_since() not in ("", before), "the restarted node")

    def until(self, there: Callable[[], T | None], what: str, seconds: float = _WAIT_SECONDS) -> T:
        """Return what `there` returns, as soon as it is something."""
        end = time.monotonic() + seconds
        while not (found := there()):
            gone = [name for name, process in self.daemons.items() if process.poll() is not None]
            if gone or time.monotonic() > end:
                why = f"{', '.join(gone)} ended" if gone else f"waited {seconds:g} s"
                raise RuntimeError(f"Slurm on loopback: not there: {what} ({why}).\n{self.logs()}")
            time.sleep(_POLL_SECONDS)
        return found

    def logs(self) -> str:
        """Return the end of the log of each daemon."""
        paths = [self.folder / f"{name}.log" for name in DAEMONS]
        said = {path.name: path.read_text(errors="replace") for path in paths if path.is_file()}
        return "\n".join(f"{name}:\n{text[-3000:]}" for name, text in said.items())

    def start(self) -> None:
        """Start all three, and return when the node takes jobs."""
        files = {
            "key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid",
            "seed-file": "munged.seed",
        }  # fmt: skip
        words = [f"--{name}={self.folder / file}" for name, file in files.items()]
        self._start("munged", "--foreground", *words)
        self.until((self.folder / "munge.socket").is_socket, "the socket of munged")
        self._start("slurmctld", "-D", "-f", self.environment["SLURM_CONF"])
        self._start_node()
        self.until(lambda: "idle" in self.ask("sinfo", "--noheader", "--format=%T"), "an idle node")

    def stop(self) -> None:
        """Stop all jobs, then the daemons, and kill what is left of either."""
        if "slurmctld" in self.daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.ask("scancel", f"--user={_user()}")
        for name in reversed(list(self.daemons)):
            self._stop(name)
        left = self.left()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)

    def _start_node(self) -> None:
        self._start("slurmd", "-D", "-f", self.environment["SLURM_CONF"], "-N", NODE)

    def _start(self, name: str, *words: str) -> None:
        """Start a daemon in the foreground; it ends with this process, even if that is killed."""
        program = shutil.which(name, path=PATH)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", str(program), *words],
                env={**os.environ, **self.environment}, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _stop(self, name: str) -> None:
        process = self.daemons.pop(name)
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _node_since(self) -> str:
        """Return when slurmd was started, as the controller knows it; empty while it does not."""
        words = self.ask("scontrol", "show", "node", NODE, "--oneliner").split()
        states = [word for word in words if word.startswith("State=")]
        if not states or "*" in states[0]:
            return ""
        return next((word for word in words if word.startswith("SlurmdStartTime=")), "")

    def left(self) -> list[psutil.Process]:
        """Return what still runs with the settings of this cluster: daemons, steps, their jobs."""
        mark = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        found = []
        for process in psutil.process_iter():
            # psutil reads no further than the title that slurmstepd writes over its environment.
            with contextlib.suppress(psutil.Error, OSError):
                around = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
                if mark in around and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]


def _user() -> str:
    # Windows has no such module, and this one is imported with every test.
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _write_settings(folder: Path) -> dict[str, str]:
    """Write the key and the settings, and return the environment that leads to them."""
    # munged refuses a socket that others cannot reach, and a key that others can read.
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.touch(mode=0o400)
    key.chmod(0o600)
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    settings = folder / "slurm.conf"
    controller_port, node_port = _free_ports(2)
    settings.write_text(
        _SETTINGS.format(
            folder=folder, host=platform.node().partition(".")[0], user=_user(), node=NODE,
            controller_port=controller_port, node_port=node_port,
        ),
        encoding="utf-8",
    )  # fmt: skip
    # Inside a job the plugin takes SLURM_CONF away before it calls srun, which then looks for the
    # cluster of the machine.
    srun = folder / "bin/srun"
    real = shutil.which("srun", path=PATH)
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={settings} exec {real} "$@"\n', encoding="utf-8")
    srun.chmod(0o755)
    return {"SLURM_CONF": str(settings), "PATH": f"{folder / 'bin'}{os.pathsep}{PATH}"}


@contextlib.contextmanager
def loopback_slurm() -> Iterator[Cluster]:
    """Run a Slurm of one node on the loopback address, and stop all of it, whatever happens."""
    if absent := missing():
        raise RuntimeError(
            f"Slurm is not installed: there is no {', '.join(absent)}. On Debian and Ubuntu: "
            "apt-get install slurm-wlm munge"
        )
    # A short path: the name of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name:
        cluster = Cluster(Path(name), _write_settings(Path(name)))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
