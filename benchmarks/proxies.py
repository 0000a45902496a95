"""Proxies under measurement, each with one worker and its usual answers to the question of keeping connections alive.

All stand before the same application: an nginx on the other core, which answers 100 bytes at `/`, and larger bodies
from memory. None writes an access log. Where the service decides for a proxy, the configuration is that of deploy/,
with nothing changed but addresses.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LOAD_CORE, ROOT, SERVER_CORE, Child
from benchmarks.tools import program

SMALL = 100
BODIES = {"/": SMALL, "/10k": 10 * 1024, "/1m": 1024 * 1024}
_DEPLOYED = ROOT / "deploy"
_NGINX = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100;
    keepalive_requests 100000000;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    default_type text/plain;
    {http}
}}
"""
_APPLICATION = """
server {{
    listen 127.0.0.1:{port};
    location = / {{ return 200 "{small}"; }}
    location / {{ root {place}/bodies; }}
}}
"""
_BARE = """
upstream application {{ server 127.0.0.1:{application}; keepalive 512; keepalive_requests 100000000; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://application;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
"""
_HAPROXY = """
global
    nbthread 1
    maxconn 8192
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend public
    bind 127.0.0.1:{port}
    option forwardfor
    default_backend application
backend application
    server application 127.0.0.1:{application}
"""
_ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: public
          use_remote_address: true
          route_config:
            virtual_hosts:
            - name: application
              domains: ["*"]
              routes: [{{match: {{prefix: "/"}}, route: {{cluster: application}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: application
    connect_timeout: 5s
    circuit_breakers: {{thresholds: [{{max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}}]}}
    load_assignment:
      cluster_name: application
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {application}}}}}}}
"""
_CADDY_OPTIONS = """
{
    admin off
    persist_config off
    auto_https off
    default_bind 127.0.0.1
    log {
        level ERROR
    }
}
"""
_CADDY = """
http://:{port} {{
    reverse_proxy 127.0.0.1:{application} {{
        transport http {{
            keepalive_idle_conns_per_host 512
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where proxies are made: a directory, and the port of the application behind them."""

    directory: Path
    application: int

    def place(self, name: str) -> Path:
        """Give a directory of its own to one of them."""
        place = self.directory / name
        place.mkdir(exist_ok=True)
        return place


@contextmanager
def application(stage: Stage) -> Generator[None]:
    """Run the application, on the core of the load generator."""
    place = stage.place("application")
    bodies = place / "bodies"
    bodies.mkdir(exist_ok=True)
    for path, size in BODIES.items():
        if path != "/":
            (bodies / path[1:]).write_bytes(b"x" * size)
    http = _APPLICATION.format(port=stage.application, small="x" * SMALL, place=place)
    with _nginx(place, http, core=LOAD_CORE) as child:
        child.wait_for(f"http://127.0.0.1:{stage.application}/")
        yield


@contextmanager
def bare_nginx(stage: Stage, port: int) -> Generator[Child]:
    """Run nginx as nothing but a proxy."""
    with _nginx(stage.place("nginx"), _BARE.format(port=port, application=stage.application)) as child:
        child.wait_for(f"http://127.0.0.1:{port}/")
        yield child


@contextmanager
def deciding_nginx(stage: Stage, port: int, doorward: int, *, remembers: bool = False) -> Generator[Child]:
    """Run nginx with the configuration of deploy/nginx, which asks the service on port `doorward` each time.

    With `remembers` it asks about the same credentials once a second, by the recipe of cache.conf.
    """
    place = stage.place("nginx-that-remembers" if remembers else "nginx-with-doorward")
    for name in ("protect.conf", "endpoints.conf", "remembered.conf"):
        (place / name).write_text((_DEPLOYED / "nginx" / name).read_text())
    http = nginx_site(place, port, doorward, stage.application)
    if remembers:
        question = "location = /.auth/check {\n"
        included = {question: f"{question}    include {place}/remembered.conf;\n"}
        (place / "endpoints.conf").write_text(changed((place / "endpoints.conf").read_text(), included))
        cache = (_DEPLOYED / "nginx" / "cache.conf").read_text()
        http = changed(cache, {"proxy_cache_path /dev/shm/": f"proxy_cache_path {place}/"}) + http
    with _nginx(place, http) as child:
        child.wait_for(f"http://127.0.0.1:{port}/.auth/version")
        yield child


def nginx_site(place: Path, port: int, doorward: int, app: int) -> str:
    """Give the configuration of deploy/nginx on plain HTTP, without its server that only redirects to HTTPS."""
    text = (_DEPLOYED / "nginx" / "app.conf").read_text()
    head, _, rest = text.partition("server {\n    listen 80;")
    server = rest.partition("}\n")[2]
    kept = "".join(line for line in server.splitlines(keepends=True) if "ssl_certificate" not in line)
    replaced = {
        "server 127.0.0.1:8080;": f"server 127.0.0.1:{doorward};",
        "server 127.0.0.1:3000;": f"server 127.0.0.1:{app};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port};",
        "server_name app.example.com;": "server_name localhost;",
        "/etc/nginx/doorward/": f"{place}/",
        "keepalive 16;": "keepalive 512; keepalive_requests 100000000;",
    }
    return changed(head + kept, replaced)


def changed(text: str, replaced: Mapping[str, str]) -> str:
    """Put other addresses into a deployed configuration; raises `RuntimeError` for one that is not there any more."""
    for old, new in replaced.items():
        if old not in text:
            raise RuntimeError(f"what is deployed has changed: {old!r} is not there")
        text = text.replace(old, new)
    return text


@contextmanager
def haproxy(stage: Stage, port: int) -> Generator[Child]:
    """Run HAProxy as nothing but a proxy, in one thread."""
    file = stage.place("haproxy") / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, application=stage.application))
    with Child([program("haproxy"), "-db", "-f", str(file)], file.parent) as child:
        child.wait_for(f"http://127.0.0.1:{port}/")
        yield child


@contextmanager
def envoy(stage: Stage, port: int) -> Generator[Child]:
    """Run Envoy as nothing but a proxy, in one worker."""
    file = stage.place("envoy") / "envoy.yaml"
    file.write_text(_ENVOY.format(port=port, application=stage.application))
    command = [program("envoy"), "--config-path", str(file), "--concurrency", "1", "--log-level", "error",
               "--use-dynamic-base-id"]  # fmt: skip
    with Child(command, file.parent) as child:
        child.wait_for(f"http://127.0.0.1:{port}/")
        yield child


@contextmanager
def caddy(stage: Stage, port: int) -> Generator[Child]:
    """Run Caddy as nothing but a proxy, in one thread."""
    site = _CADDY.format(port=port, application=stage.application)
    with _caddy(stage.place("caddy"), site, f"http://127.0.0.1:{port}/") as child:
        yield child


@contextmanager
def deciding_caddy(stage: Stage, port: int, doorward: int) -> Generator[Child]:
    """Run Caddy with the configuration of deploy/caddy, which asks the service on port `doorward` each time."""
    site = caddy_site(port, doorward, stage.application)
    with _caddy(stage.place("caddy-with-doorward"), site, f"http://127.0.0.1:{port}/.auth/version") as child:
        yield child


def caddy_site(port: int, doorward: int, app: int) -> str:
    """Give the configuration of deploy/caddy on plain HTTP, for a service and an application on these ports."""
    replaced = {
        "\napp.example.com {": f"\nhttp://:{port} {{",
        "127.0.0.1:8080": f"127.0.0.1:{doorward}",
        "127.0.0.1:3000": f"127.0.0.1:{app}",
    }
    return changed((_DEPLOYED / "caddy" / "Caddyfile").read_text(), replaced)


@contextmanager
def _caddy(place: Path, site: str, url: str) -> Generator[Child]:
    file = place / "Caddyfile"
    file.write_text(_CADDY_OPTIONS + site)
    environment = {"GOMAXPROCS": "1", "XDG_DATA_HOME": str(place), "XDG_CONFIG_HOME": str(place), "HOME": str(place)}
    command = [program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]
    with Child(command, place, environment=environment) as child:
        child.wait_for(url)
        yield child


@contextmanager
def _nginx(place: Path, http: str, core: int = SERVER_CORE) -> Generator[Child]:
    file = place / "nginx.conf"
    file.write_text(_NGINX.format(place=place, http=http))
    with Child([program("nginx"), "-p", str(place), "-e", "stderr", "-c", str(file)], place, core=core) as child:
        yield child
