"""A Linux box of our own: systemd as its first process, in a container of systemd-nspawn.

Its root file system is a Debian of its own (an archive, ``scripts/box --fresh``), or this machine's
with a layer of memory over it: nothing that the box does is seen outside, and nothing stays of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SYSTEMD = Path("/usr/lib/systemd/systemd")
TOOLS = (
    "systemd-nspawn",
    "systemctl",
    "unshare",
    "nsenter",
    "setpriv",
    "tar",
    "dpkg-deb",
    "apt-get",
)
DEBIAN_SINCE = 12
BOOT_S = 120.0
NAME = "shop"
COMMAND_S = 600.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# $1: an empty directory, $2: the lower root (a directory or a tar file), $3: the machine's name.
_START = r"""
set -e
mount --make-rprivate /
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t tmpfs -o size=4g,mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
lower=$2
if [ -f "$2" ]; then
    lower=$1/lower
    mkdir "$lower"
    tar -x -p --numeric-owner -f "$2" -C "$lower"
fi
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
# What the machine below has of its own is not this box's: its services, its settings, its name.
rm -rf etc/systemd/system etc/store-hub var/lib/store-hub* var/lib/private/store-hub* \
    usr/sbin/policy-rc.d etc/credstore/store-hub* run/* var/log/journal/*
mkdir -p etc/systemd/system root/box
: >etc/machine-id
echo "$3" >etc/hostname
echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/box
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# Its own filter of calls and devices off: a box has none, the hub's unit has its own.
start() {
    systemd-nspawn --quiet --directory="$1/root" --machine="$3" --boot --register=no --keep-unit \
        --private-network --capability=all --system-call-filter="bpf pidfd_getfd" --console=pipe
}
status=133 # of a reboot
while [ "$status" = 133 ]; do
    status=0
    start "$@" || status=$?
done
exit "$status"
"""


class NoMachine(Exception):
    """A box can't be had here; the text says why."""


def why_not(lower: Path) -> str:
    """Why no box can be had over the root ``lower``; empty if nothing speaks against it."""
    if os.geteuid() != 0:
        return "needs root: systemd-nspawn makes namespaces and mounts"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=_PATH) is None]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install systemd-container dpkg"
    if lower.is_file():
        return ""  # an archive that scripts/box made
    if not (lower / SYSTEMD.relative_to("/")).exists():
        return f"there is no systemd in {lower}"
    if not (lower / "usr/sbin/mosquitto").exists():
        return f"there is no mosquitto in {lower}"
    release = dict(
        line.split("=", 1)
        for line in (lower / "etc/os-release").read_text().splitlines()
        if "=" in line
    )
    number = release.get("VERSION_ID", "").strip('"')
    if release.get("ID") != "debian" or not number.isdigit() or int(number) < DEBIAN_SINCE:
        return f"{lower} is {release.get('PRETTY_NAME', 'unknown')}, not Debian {DEBIAN_SINCE}"
    if (lower / "opt/store-hub").exists():
        return f"a Store Hub is installed in {lower}"
    return ""


class Machine:
    """Use :func:`booted`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._init = _init_of(process, log)

    @property
    def init(self) -> int:
        """Its first process, by this machine's number."""
        return self._init

    @property
    def root(self) -> Path:
        """Its file system, seen from outside."""
        return Path(f"/proc/{self._init}/root")

    def run(
        self, *command: str, code: int | None = 0, timeout_s: float = COMMAND_S, given: str = ""
    ) -> str:
        """Run a command inside; its output and errors.  AssertionError if its exit code is not
        ``code`` (None: any will do)."""
        done = subprocess.run(
            self.inside(*command),
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,  # what it kills as a group is never this process's
        )
        assert code is None or done.returncode == code, (
            f"{' '.join(command)}: exit code {done.returncode}, not {code}:\n{done.stdout}"
        )
        return done.stdout

    def inside(self, *command: str) -> list[str]:
        """How that command is run inside, for a process of one's own."""
        enter = ["nsenter", "--target", str(self._init), "--all", "env", "-i", f"PATH={_PATH}"]
        return [*enter, "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", *command]

    def beside(self, *command: str, timeout_s: float = COMMAND_S) -> str:
        """Run this machine's command in the box's network; its standard output."""
        net = ["nsenter", f"--net=/proc/{self._init}/ns/net"]
        done = subprocess.run(
            [*net, *command], capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def put(self, source: Path, target: str) -> None:
        """Copy a file of this machine into the box."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        place.chmod(source.stat().st_mode & 0o777)

    def write(self, target: str, text: str, mode: int = 0o644) -> None:
        """Write a file in the box."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def power_off(self) -> None:
        """An orderly shutdown, bounded; then by force."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._init, signal.SIGRTMIN + 4)  # systemd(1): poweroff.target
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def reboot(self) -> None:
        """An orderly reboot; returns when it is up again."""
        former = os.pidfd_open(self._init)
        try:
            os.kill(self._init, signal.SIGRTMIN + 5)  # systemd(1): reboot.target
            # While it shuts down it forks children, which are called as it is.
            if not select.select([former], [], [], BOOT_S)[0]:
                raise NoMachine(f"systemd does not go down:\n{_tail(self._log)}")
        finally:
            os.close(former)
        self._init = _init_of(self._process, self._log, other_than=self._init)
        self.wait_booted()

    def wait_booted(self, timeout_s: float = BOOT_S) -> None:
        """Until nothing is being started any more."""
        until_s = time.monotonic() + timeout_s
        state = ""
        while time.monotonic() < until_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                state = self.run("systemctl", "is-system-running", code=None, timeout_s=20).strip()
            if state in {"running", "degraded"}:
                return
            time.sleep(0.2)
        raise NoMachine(f"systemd did not come up: {state}\n{_tail(self._log)}")


@contextlib.contextmanager
def booted(lower: Path, scratch: Path = Path("/tmp")) -> Iterator[Machine]:
    """A box over the root ``lower``, with systemd up; it is gone afterwards, whatever happened.
    In ``scratch`` it has its place for the time.

    Errors: :class:`NoMachine`.
    """
    reason = why_not(lower)
    if reason:
        raise NoMachine(reason)
    base = Path(tempfile.mkdtemp(prefix="shbox-", dir=scratch))
    place = base / "box"
    place.mkdir()
    log = base / "console.log"
    # The kernel ends it with us: all of its processes, and its mounts with them.
    start = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc"]
    start += ["--fork", "--kill-child", "sh", "-c", _START, "box"]
    try:
        with log.open("wb") as console:
            process = subprocess.Popen(
                [*start, str(place), str(lower), NAME],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        try:
            machine = Machine(process, log)
            machine.wait_booted()
            yield machine
            machine.power_off()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _init_of(process: subprocess.Popen[bytes], log: Path, other_than: int = 0) -> int:
    """The box's first process, once systemd runs in it."""
    until_s = time.monotonic() + BOOT_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise NoMachine(f"systemd-nspawn ended at once:\n{_tail(log)}")
        for pid in _descendants(process.pid):
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                if name == "systemd" and pid != other_than:
                    return pid
        time.sleep(0.05)
    raise NoMachine(f"no systemd was started:\n{_tail(log)}")


def _descendants(pid: int) -> Iterator[int]:
    """All of them, those who are nearest first."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{one}/task/{one}/children").read_text()
            found += [int(word) for word in children.split()]
        if one != pid:
            yield one


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def repack(deb: Path, target: Path, version: str, changes: dict[str, str | None]) -> Path:
    """The same package as another ``version``, in which some files have another text (None: are
    gone); paths are relative to the package's root."""
    with tempfile.TemporaryDirectory(prefix="shdeb-", dir="/tmp") as scratch:
        root = Path(scratch) / "root"
        subprocess.run(["dpkg-deb", "-R", str(deb), str(root)], check=True)
        control = root / "DEBIAN" / "control"
        lines = control.read_text().splitlines()
        lines = [f"Version: {version}" if one.startswith("Version:") else one for one in lines]
        control.write_text("\n".join(lines) + "\n")
        for name, text in changes.items():
            if text is None:
                (root / name).unlink()
            else:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
        build = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(root), str(target)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return target
