"""What the settings say, in the words of the rooms."""

from doorward.accounts.tokens import TokenRules
from doorward.base.entropy import Entropy
from doorward.config.settings import Settings
from doorward.exchange import envelope
from doorward.identity.visit import Trust


def trust_of(settings: Settings, entropy: Entropy) -> Trust:
    """Give whom to believe about clients, by the settings."""
    server, plan = settings.server, settings.auth.plan
    return Trust(
        entropy=entropy,
        public_url=server.public_url,
        trusted_proxies=[str(network) for network in server.trusted_proxies],
        additional_hosts=server.additional_hosts,
        host_header=(plan.host_header if plan is not None else "host").encode(),
    )


def token_rules(settings: Settings) -> TokenRules:
    """Give what the settings say of platform tokens."""
    rules = settings.token_service
    return TokenRules(
        issuer=f"{settings.server.public_url}{envelope.PREFIX}",
        access_lifetime=rules.access_token_lifetime,
        platform_lifetime=rules.platform_token_lifetime,
        family_lifetime=rules.family_lifetime,
        strict_rotation=rules.refresh_rotation == "strict",
        refresh_grace=rules.refresh_grace,
    )


def requires_https(settings: Settings) -> bool:
    """Say whether plain requests are refused: by `httpSettings.requireHttps`, else if the public address is https:."""
    plan = settings.auth.plan
    return settings.server.public_url.startswith("https:") if plan is None else plan.require_https


def https_site(settings: Settings) -> str | None:
    """Give the origin that plain requests are sent to, "" where they are refused alone, None where they are served."""
    if not requires_https(settings):
        return None
    site = settings.server.public_url.rstrip("/")
    return site if site.startswith("https:") else ""
