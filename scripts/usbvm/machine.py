"""The machine: a Debian root, its kernel and a small boot file system, made once.

``python -m scripts.usbvm --setup`` makes them in ``var/usbvm`` (needs root: ``debootstrap`` and
``chroot``) and takes a moment when that is done.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scripts.rig.process import ROOT

KEPT: Final = ROOT / "var" / "usbvm"
WORK: Final = Path("/var/cache/store-hub-usbvm")
"""Outside of the checkout: whatever walks through that must not fall into a second system."""
LOCK: Final = ROOT / "requirements.lock"
QEMU: Final = "qemu-system-x86_64"
SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
"""Of that suite."""
NEEDED: Final = {
    QEMU: "qemu-system-x86",
    "debootstrap": "debootstrap",
    "mke2fs": "e2fsprogs",
}
PACKAGES: Final = (
    *("python3", "udev", "kmod", "busybox-static", "mosquitto", "libfribidi0"),
    "libusb-1.0-0",
    "fonts-dejavu-core",
)
BOOTING: Final = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
DRIVING: Final = (
    *("dummy_hcd", "libcomposite", "usb_f_printer", "usb_f_acm", "usb_f_hid"),
    *("xhci_pci", "usblp", "cdc_acm", "ftdi_sio", "usbhid", "hid_generic", "evdev"),
)
_SITE: Final = "opt/site"
_IMAGE: Final = "1400M"
_TIMEOUT_S: Final = 1500

# What the kernel starts first: it finds the disk and goes over to it.
_FIRST: Final = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /new
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
for one in {modules}; do /bin/busybox modprobe $one; done
until [ -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /new
exec /bin/busybox switch_root /new /opt/second
"""

# The second disk is an archive of the checkout; it says how to go on.
_SECOND: Final = """\
#!/bin/sh
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mkdir -p /srv/store-hub && tar -C /srv/store-hub -xf /dev/vdb
cd /srv/store-hub && exec sh scripts/usbvm/inside.sh
"""


class NotPrepared(RuntimeError):
    """The machine can't be had here; the text says what to do."""


def prepared() -> Path:
    """Where its three files are: ``vmlinuz``, ``initrd``, ``root.img``.

    Errors: :class:`NotPrepared`.
    """
    if shutil.which(QEMU) is None:
        raise NotPrepared(f"there is no {QEMU}: run python -m scripts.usbvm --setup as root")
    whole = all((KEPT / name).exists() for name in ("vmlinuz", "initrd", "root.img"))
    if not whole or _told(KEPT / "whole") != recipe():
        raise NotPrepared(
            "the virtual machine isn't made yet: run python -m scripts.usbvm --setup as root"
        )
    return KEPT


def recipe() -> str:
    """Changes when the machine has to be made anew."""
    parts = (SUITE, _IMAGE, _FIRST, _SECOND, repr(PACKAGES + BOOTING + DRIVING))
    whole = LOCK.read_bytes() + "\n".join(parts).encode()
    return hashlib.sha256(whole).hexdigest()[:16]


def prepare() -> Path:
    """Make what is missing.  Errors: :class:`NotPrepared`, CalledProcessError, TimeoutExpired."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(KEPT / ".lock"):
        try:
            return prepared()
        except NotPrepared:
            pass
        _programs()
        WORK.mkdir(parents=True, exist_ok=True)
        (KEPT / "whole").unlink(missing_ok=True)
        root = WORK / "root"
        shutil.rmtree(root, ignore_errors=True)
        try:
            _debian(root)
            version = _kernel(root)
            _packages(root / _SITE)
            _first_files(root, version)
            _image(root)
        finally:
            shutil.rmtree(root, ignore_errors=True)
        (KEPT / "whole").write_text(recipe())
        return prepared()


def _programs() -> None:
    if os.geteuid() != 0:
        raise NotPrepared("making the virtual machine takes debootstrap and chroot: run it as root")
    if platform.machine() != "x86_64":
        raise NotPrepared("the virtual machine is made on x86-64 only")
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise NotPrepared(f"this is not Debian; install {', '.join(missing)} yourself")
    _say(f"installing {', '.join(missing)}")
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=400"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for what in (["update"], ["install", "-y", "--no-install-recommends", *missing, "seabios"]):
        _run([*apt, *what], env=quiet)


def _debian(root: Path) -> None:
    _say(f"making a small Debian ({SUITE}) with {', '.join(PACKAGES)} (a minute or two)")
    log = Path(tempfile.gettempdir()) / "store-hub-usbvm-debootstrap.log"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    with log.open("wb") as out:
        done = subprocess.run(
            [*command, SUITE, str(root), *_mirror()],
            stdout=out, stderr=out, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise NotPrepared(f"debootstrap failed; its whole output is in {log}")


def _mirror() -> list[str]:
    """From where this machine gets its own packages; debootstrap knows one itself."""
    which = ("Origin: Debian", f"Codename: {SUITE}")
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *which],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return told.stdout.split()[:1]


def _kernel(root: Path) -> str:
    """Debian's own, with the modules that are used and what they need; its version."""
    _say("getting Debian's kernel")
    chroot = ["chroot", str(root)]
    told = _run([*chroot, "apt-cache", "depends", "linux-image-amd64"])
    package = next(word for word in told.split() if word.startswith("linux-image-6"))
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    _run([*chroot, "sh", "-c", f"cd /tmp && apt-get {' '.join(options)} download {package}"])
    whole = root / "tmp" / "kernel"
    (deb,) = (root / "tmp").glob("linux-image-*.deb")
    _run([*chroot, "dpkg-deb", "-x", f"/tmp/{deb.name}", "/tmp/kernel"])
    version = package.removeprefix("linux-image-")
    _run([*chroot, "depmod", "-b", "/tmp/kernel", version])
    shutil.copy(whole / "boot" / f"vmlinuz-{version}", KEPT / "vmlinuz")
    for names, target in ((BOOTING, root / "tmp" / "first"), (BOOTING + DRIVING, root)):
        _modules(root, version, names, target)
    shutil.rmtree(whole)
    deb.unlink()
    return version


def _modules(root: Path, version: str, names: Sequence[str], target: Path) -> None:
    inside = f"/tmp/kernel/lib/modules/{version}"
    files: set[str] = set()
    show = ("--show-depends",)
    for name in names:
        told = _run(
            ["chroot", str(root), "modprobe", "-d", "/tmp/kernel", "-S", version, *show, name]
        )
        files |= {line.split()[1] for line in told.splitlines() if line.startswith("insmod ")}
    for file in sorted(files):
        kept = target / "lib/modules" / version / Path(file).relative_to(inside)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file[1:], kept)
    for told_file in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if (root / inside[1:] / told_file).exists():
            shutil.copy(root / inside[1:] / told_file, target / "lib/modules" / version)
    base = "/" if target == root else f"/{target.relative_to(root)}"
    _run(["chroot", str(root), "depmod", "-b", base, version])


def _packages(target: Path) -> None:
    """The hub's own, as wheels for that Debian's Python."""
    _say(f"installing the Python packages of {LOCK.relative_to(ROOT)}")
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input"]
    command += ["install", "--require-hashes", "--only-binary", ":all:", "--no-deps"]
    command += ["--target", str(target), "--python-version", PYTHON, "--implementation", "cp"]
    for minor in (36, 34, 31, 28, 17, 12, 5):
        command += ["--platform", f"manylinux_2_{minor}_x86_64"]
    command += ["--platform", "manylinux2014_x86_64", "--platform", "linux_x86_64"]
    _run([*command, "-r", str(LOCK)])


def _first_files(root: Path, version: str) -> None:
    """The boot file system, and what goes on from there."""
    first = root / "tmp" / "first"
    (first / "bin").mkdir()
    shutil.copy(root / "bin" / "busybox", first / "bin" / "busybox")
    (first / "init").write_text(_FIRST.format(modules=" ".join(BOOTING)))
    second = root / "opt" / "second"
    second.write_text(_SECOND)
    for script in (first / "init", second):
        script.chmod(0o755)
    pack = "cd /tmp/first && find . | busybox cpio -o -H newc | gzip -1 > /tmp/initrd"
    _run(["chroot", str(root), "sh", "-c", pack])
    shutil.copy(root / "tmp" / "initrd", KEPT / "initrd")
    (root / "opt" / "kernel").write_text(version)


def _image(root: Path) -> None:
    for folder in ("tmp", "var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / "tmp").mkdir()
    chroot = ["chroot", str(root), "python3", "-m", "compileall", "-q", "-j", "2"]
    _run([*chroot, f"/{_SITE}"], check=False)
    _run(["chroot", str(root), "useradd", "-m", "-G", "lp,dialout,input", "store-hub"])
    new = KEPT / "root.new"
    new.unlink(missing_ok=True)
    _run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(new), _IMAGE])
    new.replace(KEPT / "root.img")


def _run(command: Sequence[str], *, check: bool = True, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=_TIMEOUT_S, check=check, env=env
    )
    return done.stdout


def _told(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)
