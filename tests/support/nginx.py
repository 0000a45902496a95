"""The real nginx, Debian's, with the configuration of deploy/nginx changed in nothing but addresses and places."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.peers import make_authority
from tests.support.programs import Program, free_ports
from tests.support.sources import ROOT

DEPLOYED = ROOT / "deploy" / "nginx"
HOST = "app.example.com"
_MAIN = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    include {place}/app.conf;
}}
"""


def find_nginx() -> str:
    """Give the program; without one on the machine the test is skipped, or fails where CI is set."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("no nginx here: use scripts/test as root, or apt-get install nginx-light")
    return path


def configure(place: Path, *, doorward: int, application: int, plain: int, tls: int, remembers: bool = False) -> Path:
    """Write the configuration for these ports of 127.0.0.1 below `place`, and give its main file.

    With `remembers` it keeps answers about who may pass for a second.
    """
    make_authority(place, HOST)  # certificate and key of the host, in one file
    replaced = {
        "server 127.0.0.1:8080;": f"server 127.0.0.1:{doorward};",
        "server 127.0.0.1:3000;": f"server 127.0.0.1:{application};",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
        "/etc/ssl/app.example.com.pem": f"{place}/server.pem",
        "/etc/ssl/app.example.com.key": f"{place}/server.pem",
        "/etc/nginx/doorward/": f"{place}/",
    }
    for file in DEPLOYED.glob("*.conf"):
        text = file.read_text()
        for old, new in replaced.items():
            assert file.name != "app.conf" or old in text, old
            text = text.replace(old, new)
        (place / file.name).write_text(text)
    main = place / "nginx.conf"
    main.write_text(_MAIN.format(place=place))
    if remembers:
        question, endpoints = "location = /.auth/check {\n", place / "endpoints.conf"
        assert question in endpoints.read_text()
        included = endpoints.read_text().replace(question, f"{question}    include {place}/remembered.conf;\n")
        endpoints.write_text(included)
        kept = place / "cache.conf"
        kept.write_text(kept.read_text().replace("proxy_cache_path /dev/shm/", f"proxy_cache_path {place}/"))
        main.write_text(main.read_text().replace("    include", f"    include {place}/cache.conf;\n    include", 1))
    return main


@asynccontextmanager
async def nginx(
    place: Path, *, doorward: int, application: int, remembers: bool = False
) -> AsyncGenerator[tuple[int, int]]:
    """Run nginx before Doorward and an application; gives the ports of plain HTTP and of TLS."""
    program, plain = find_nginx(), free_ports(2)
    main = configure(place, doorward=doorward, application=application, plain=plain, tls=plain + 1, remembers=remembers)
    command = [program, "-p", str(place), "-e", "stderr", "-c", str(main)]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr, tested.stderr
    with Program(command, cwd=place) as running:
        await _accepting(plain, running)
        yield plain, plain + 1


async def _accepting(port: int, running: Program) -> None:
    """Wait until it listens."""
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise AssertionError(f"nginx does not listen: {running.stderr}")
