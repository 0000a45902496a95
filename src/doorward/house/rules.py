"""What the settings say, in the words of the rooms."""

from typing import cast

from doorward.accounts.tokens import TokenRules
from doorward.base.entropy import Entropy
from doorward.config.settings import Settings
from doorward.exchange import envelope
from doorward.identity.visit import Trust


def trust_of(settings: Settings, entropy: Entropy) -> Trust:
    """Give whom to believe about clients, by the settings."""
    server = settings.server
    return Trust(
        entropy=entropy,
        public_url=server.public_url,
        trusted_proxies=[str(network) for network in server.trusted_proxies],
        additional_hosts=server.additional_hosts,
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
    tree = settings.auth.tree or {}
    http = tree.get("httpSettings")
    wish = cast("dict[str, object]", http).get("requireHttps") if isinstance(http, dict) else None
    return wish if isinstance(wish, bool) else settings.server.public_url.startswith("https:")
