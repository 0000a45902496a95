"""Apache with mod_auth_openidc, its sessions in shared memory: the usual way to have sign-in before an application.

Its sessions can only be made by real sign-ins, so people sign in at the pretend provider before anything is measured:
a hundred, since five hundred were no slower. One process in the event model with 64 threads, which was the best on one
core: with fewer threads than connections requests are lost, and twice as many, the worker model and prefork with a
process for each connection took 2 to 6 % more of the processor.
"""

import http.client
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks import provider
from benchmarks.processes import LOAD_CORE, Child, python
from benchmarks.proxies import Stage
from benchmarks.signed_in import HOST, browser_headers
from benchmarks.tools import module, program

COOKIE = "mod_auth_openidc_session"
PEOPLE = 100
_THREADS = 64
_PLACES = 1024
_MODULES = "/usr/lib/apache2/modules"
_CONFIG = """
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule auth_openidc_module {modules}/mod_auth_openidc.so
ServerName {host}
ServerRoot {place}
PidFile {place}/apache.pid
DefaultRuntimeDir {place}
ErrorLog {place}/error.log
LogLevel error
Listen 127.0.0.1:{port}
User nobody
Group nogroup
StartServers 1
ServerLimit 1
ThreadsPerChild {threads}
ThreadLimit {threads}
MaxRequestWorkers {threads}
MaxKeepAliveRequests 0
KeepAliveTimeout 60
OIDCProviderMetadataURL {metadata}
OIDCClientID {client_id}
OIDCClientSecret {client_secret}
OIDCRedirectURI {redirect_uri}
OIDCCryptoPassphrase made-up-passphrase-of-the-benchmark
OIDCScope "openid profile email"
OIDCSessionType server-cache
OIDCCacheType shm
OIDCCacheShmMax {places}
OIDCSessionInactivityTimeout 3600
OIDCRemoteUserClaim email
OIDCStateMaxNumberOfCookies 7 true
ProxyRequests Off
ProxyPass /alive http://127.0.0.1:{application}/
ProxyPass / http://127.0.0.1:{application}/ keepalive=On
<Location />
    AuthType openid-connect
    Require valid-user
</Location>
<Location /alive>
    AuthType None
    Require all granted
</Location>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where it listens, and where the pretend provider does while people sign in."""

    apache: int
    provider: int

    @property
    def redirect_uri(self) -> str:
        """Give the address at which a sign-in ends."""
        return f"http://{HOST}:{self.apache}/signed-in"


@contextmanager
def apache(stage: Stage, ports: Ports) -> Generator[tuple[Child, list[str]]]:
    """Run it as a proxy with sign-in; gives it with the session cookies of those who have signed in."""
    place = stage.place("apache")
    file = place / "apache.conf"
    values: Mapping[str, str | int] = {
        "modules": _MODULES,
        "host": HOST,
        "place": str(place),
        "port": ports.apache,
        "threads": _THREADS,
        "places": _PLACES,
        "metadata": provider.metadata_of(ports.provider),
        "client_id": provider.CLIENT_ID,
        "client_secret": provider.CLIENT_SECRET,
        "redirect_uri": ports.redirect_uri,
        "application": stage.application,
    }
    file.write_text(_CONFIG.format_map(values))
    httpd = program("apache2")
    module(f"{_MODULES}/mod_auth_openidc.so")
    pretend = python("-m", "benchmarks.provider", ports.provider, ports.redirect_uri)
    with Child([httpd, "-DFOREGROUND", "-f", str(file)], place) as child:
        with Child(pretend, stage.place("provider"), core=LOAD_CORE) as signing:
            signing.wait_for(provider.metadata_of(ports.provider))
            child.wait_for(f"http://127.0.0.1:{ports.apache}/alive")
            cookies = [_sign_in(ports.apache, f"person-{number}@contoso.com") for number in range(PEOPLE)]
        yield child, cookies


def _sign_in(port: int, who: str) -> str:
    """Go the way of a browser, once: to the application, to the provider, and back with a code."""
    browser = browser_headers("none")
    state, to_provider = _follow(f"http://{HOST}:{port}/", browser)
    _, back = _follow(to_provider, {"X-Emulator-Person": who})
    cookies, _ = _follow(back, {**browser, "Cookie": "; ".join(f"{name}={value}" for name, value in state.items())})
    return cookies[COOKIE]


def _follow(url: str, headers: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Ask, and give the cookies that are set and where the answer leads; raises `RuntimeError` where nowhere."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=dict(headers) | {"Host": parts.netloc})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    to = answer.getheader("Location")
    if to is None:
        raise RuntimeError(f"{parts.path} on port {parts.port} leads nowhere, but answers {answer.status}")
    pairs = (line.partition(";")[0].partition("=") for line in answer.msg.get_all("Set-Cookie", []))
    return {name: value for name, _, value in pairs}, to
