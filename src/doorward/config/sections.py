"""The settings that the token service needs, section by section.

Defaults are those of the interface. To add a setting, add a row here: reading, checking, `doorward config show` and
docs/settings.md follow from it.
"""

from typing import Literal

from doorward.base.frozen import frozen
from doorward.base.secret import Secret
from doorward.config.addresses import Address, Network
from doorward.config.kinds import (
    ADDRESS,
    BOOLEAN,
    DATABASE_URL,
    HEX_KEY,
    NETWORKS,
    ORIGIN,
    ORIGINS,
    PATH,
    SECRET,
    SITE_HOSTS,
    TOKEN_NAME,
    duration,
    integer,
    one_of,
    size,
)
from doorward.config.rows import row

Replay = Literal["off", "detect", "reject"]
Rotation = Literal["off", "strict"]
Algorithm = Literal["HS256", "ES256", "EdDSA"]
LogFormat = Literal["", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]


@frozen
class ServerSettings:
    """`[server]`: where to listen, under which name, and how patient to be with connections."""

    listen: Address = row(
        ADDRESS,
        "127.0.0.1:8080",
        "Where the public listener accepts connections. Put a reverse proxy with TLS in front, or set "
        "`tls_certificate`, before listening on anything but loopback. Port 0 takes any free port.",
    )
    admin_listen: Address = row(
        ADDRESS,
        "127.0.0.1:8081",
        "Where probes, metrics and the console are served. Whoever reaches it can read the metrics, so keep it off the "
        "public network.",
    )
    public_url: str = row(
        ORIGIN,
        "",
        "The address under which clients reach the service: scheme, host and port, nothing else. Issuer, redirect "
        "addresses and cookies derive from it, never from the Host header. Empty: `http://` and `server.listen`, which "
        "is good on loopback only; `http:` is refused elsewhere.",
    )
    additional_hosts: tuple[str, ...] = row(
        SITE_HOSTS,
        [],
        "Further hosts of the same site, `host` or `host:port`, served with the scheme of `public_url` and used as the "
        "client named them.",
    )
    trusted_proxies: tuple[Network, ...] = row(
        NETWORKS,
        [],
        "Address blocks of the proxies whose `X-Forwarded-*` and `X-Request-ID` headers are believed. Nobody by "
        "default: name exactly your proxies, since whoever is in a block can claim any client address.",
    )
    workers: int = row(
        integer(1, 64),
        1,
        "How many processes serve the public listener. One for each processor core is the most that helps.",
    )
    tls_certificate: str = row(
        PATH,
        "",
        "PEM file with the certificate and its chain; the public listener then speaks TLS. Needs `tls_key`. Read again "
        "on SIGHUP. A relative path starts at the current directory.",
    )
    tls_key: str = row(
        PATH,
        "",
        "PEM file with the private key of `tls_certificate`, readable by the service alone. A relative path starts at "
        "the current directory.",
    )
    drain_timeout: float = row(
        duration("0s"),
        "30s",
        "How long requests in flight may take to finish after SIGTERM before the service exits all the same.",
    )
    head_limit: int = row(
        size(1024, 1 << 20),
        "32KiB",
        "The longest request line and headers together that are read; more is refused.",
    )
    head_timeout: float = row(
        duration(),
        "10s",
        "How long a client may take to send its request line and headers, so that slow senders hold no connection.",
    )
    idle_timeout: float = row(
        duration(),
        "75s",
        "How long a kept-alive connection may stay without a request. Make it longer than your load balancer's own "
        "idle timeout.",
    )
    access_log: bool = row(
        BOOLEAN,
        True,
        "Whether each request is one line in the log. Tokens and query strings are never part of it.",
    )

    def __post_init__(self) -> None:
        """Derive the public URL from the listener where none is set (interface, section 7)."""
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://{self.listen}")


@frozen
class DatabaseSettings:
    """`[database]`: where accounts, tokens and keys are kept."""

    url: str = row(
        DATABASE_URL,
        "sqlite:///doorward.db",
        "The database: `sqlite:///FILE` (three slashes and a path relative to the current directory, four for an "
        "absolute one) or `postgresql://user:password@host:port/name`. SQLite serves one machine; several replicas "
        "need PostgreSQL.",
    )
    auto_migrate: bool = row(
        BOOLEAN,
        True,
        "Whether a PostgreSQL database with an older schema is migrated at the start. With `false`, run `doorward "
        "migrate` before a new release. A SQLite file is always migrated.",
    )

    @property
    def engine(self) -> Literal["sqlite", "postgres"]:
        """Name the engine that `url` asks for."""
        return "sqlite" if self.url.startswith("sqlite:") else "postgres"


@frozen
class SecretsSettings:
    """`[secrets]`: the keys that everything else is derived from."""

    encryption_key: Secret = row(
        HEX_KEY,
        "",
        "Key for what is encrypted in the database: at least 64 hexadecimal digits, made with `openssl rand -hex 32`. "
        "Empty with SQLite: made once and kept beside the file, readable by its owner alone. PostgreSQL requires it, "
        "the same on every replica. Also read from `WEBSITE_AUTH_ENCRYPTION_KEY`.",
    )
    signing_key: Secret = row(
        HEX_KEY,
        "",
        "Key that signing keys are derived from: at least 64 hexadecimal digits, other than `encryption_key`. Empty "
        "with SQLite: made once and kept beside the file. PostgreSQL requires it, the same on every replica. Also read "
        "from `WEBSITE_AUTH_SIGNING_KEY`.",
    )


@frozen
class TokenServiceSettings:
    """`[token_service]`: the exchange of Entra's id_tokens for the platform's own tokens."""

    enabled: bool = row(
        BOOLEAN,
        True,
        "Whether `/auth-service` is served at all.",
    )
    access_token_lifetime: float = row(
        duration(),
        "7d",
        "How long an `access_token` is good, counted from the exchange or refresh that made it. Cut at the end of its "
        "family.",
    )
    platform_token_lifetime: float = row(
        duration(),
        "7d",
        "How long the opaque platform token is good. Cut at the end of its family.",
    )
    platform_token_name: str = row(
        TOKEN_NAME,
        "ejento_access_token",
        "The name of the field in which answers carry the opaque platform token.",
    )
    signing_algorithm: Algorithm = row(
        one_of("HS256", "ES256", "EdDSA"),
        "HS256",
        "How access tokens are signed. With `HS256` only this service can verify them; with the others the public keys "
        "are published at `/auth-service/oauth2/jwks`.",
    )
    default_organization: int = row(
        integer(1, (1 << 63) - 1),
        1,
        "The organization of a new user when the request names none and the registration leaves it open. It still has "
        "to be listed by the registration.",
    )
    leeway: float = row(
        duration("0s", "300s"),
        "60s",
        "How far the clocks of Entra and of this machine may be apart when times in a token are checked, five minutes "
        "at most.",
    )
    replay: Replay = row(
        one_of("off", "detect", "reject"),
        "detect",
        "What happens when the same id_token is exchanged twice: `off` nothing, `detect` an audit event, `reject` a "
        "refusal of the second.",
    )
    max_token_age: float = row(
        duration("0s"),
        "0s",
        "The longest time since an id_token was issued (`iat`) for which it may be exchanged; a stolen old one is then "
        "worth less. Entra dates tokens back by five minutes, so stay above `6m`. `0s` sets no limit but the token's "
        "own expiry.",
    )
    refresh_rotation: Rotation = row(
        one_of("off", "strict"),
        "off",
        "Whether a refresh retires the pair it was made with. `off`: the old pair stays good until its own expiry. "
        "`strict`: using a retired pair again ends the whole family.",
    )
    refresh_grace: float = row(
        duration("0s", "60s"),
        "10s",
        "With strict rotation, how long a retired pair may still be refreshed, since parallel tabs and lost answers "
        "are normal; one minute at most.",
    )
    family_lifetime: float = row(
        duration(),
        "30d",
        "How long pairs that descend from one exchange live at most. After that Entra has to be asked again, so that "
        "who left there cannot refresh for ever.",
    )
    max_body_bytes: int = row(
        integer(1, 1 << 30),
        65536,
        "The longest request body below `/auth-service`, in bytes; more is 413.",
    )
    cors_origins: tuple[str, ...] = row(
        ORIGINS,
        [],
        "Origins of browser applications that may call `/auth-service` from other hosts, each exactly as the browser "
        "sends it, for example `https://app.example.com`. No wildcards.",
    )
    subscription_key: Secret = row(
        SECRET,
        "",
        "When set, calls below `/auth-service` must carry it in the header `Ocp-Apim-Subscription-Key`, as behind "
        "Azure's API gateway. Empty: the header is not looked at.",
    )


@frozen
class RateLimitsSettings:
    """`[rate_limits]`: how often one address may fail and one identity may ask."""

    enabled: bool = row(
        BOOLEAN,
        True,
        "Whether exchanges are limited. Addresses of trusted proxies are never counted.",
    )
    failures: int = row(
        integer(1, 1_000_000),
        30,
        "How many refused exchanges one client address may cause within `window` before it gets 429.",
    )
    window: float = row(
        duration("1s", "1d"),
        "1m",
        "The time over which refused exchanges and exchanges of one identity are counted.",
    )
    per_identity: int = row(
        integer(1, 1_000_000),
        30,
        "How many exchanges one verified identity may make within `window` before it gets 429.",
    )


@frozen
class AuditSettings:
    """`[audit]`: how long the record of who did what is kept."""

    retention: float = row(
        duration("0s"),
        "400d",
        "How long records of the audit trail are kept; older ones are deleted every few minutes. `0s` keeps them for "
        "ever, and then the table grows with every exchange.",
    )


@frozen
class LogSettings:
    """`[log]`: what is written to standard error."""

    format: LogFormat = row(
        one_of("", "json", "text"),
        "",
        "`json` writes one object a line, `text` lines for people. Empty: text when standard error is a terminal, else "
        "JSON.",
    )
    level: LogLevel = row(
        one_of("debug", "info", "warning", "error"),
        "info",
        "The least important level that is written. No level writes tokens or secrets.",
    )


@frozen
class OutboundSettings:
    """`[outbound]`: how Doorward itself calls identity providers."""

    ca_file: str = row(
        PATH,
        "",
        "PEM file with certificate authorities to trust beside the system's, for providers behind an inspecting "
        "proxy. `HTTPS_PROXY` and `NO_PROXY` are honoured. A relative path starts at the current directory.",
    )
