"""Auth trees as App Service's own tools print and read them, and a way to have one planned."""

import json
from collections.abc import Mapping
from typing import Any

from doorward.config.auth_tree import Planned, plan_tree
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.tree_places import name_lines
from doorward.config.tree_reading import TreeSource

TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
ENVIRONMENT = {
    "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET": "secret-of-aad",
    "GOOGLE_PROVIDER_AUTHENTICATION_SECRET": "secret-of-google",
    "APPSETTING_GITHUB_PROVIDER_AUTHENTICATION_SECRET": "secret-of-github",
    "contoso_AUTHENTICATION_SECRET": "secret-of-contoso",
}
PUBLIC_URL = "https://app.example.com"

AAD: dict[str, Any] = {
    "enabled": True,
    "registration": {
        "openIdIssuer": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "clientId": "11111111-aaaa-4aaa-8aaa-000000000001",
        "clientSecretSettingName": "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET",
    },
}
GOOGLE: dict[str, Any] = {
    "registration": {"clientId": "google-id", "clientSecretSettingName": "GOOGLE_PROVIDER_AUTHENTICATION_SECRET"},
    "login": {"scopes": ["openid", "email"]},
    "validation": {"allowedAudiences": ["another-client"]},
}
GITHUB: dict[str, Any] = {
    "registration": {"clientId": "github-id", "clientSecretSettingName": "GITHUB_PROVIDER_AUTHENTICATION_SECRET"},
}
CONTOSO: dict[str, Any] = {
    "registration": {
        "clientId": "contoso-id",
        "clientCredential": {
            "method": "ClientSecretPost",
            "clientSecretSettingName": "contoso_AUTHENTICATION_SECRET",
        },
        "openIdConnectConfiguration": {
            "wellKnownOpenIdConfiguration": "https://id.contoso.com/.well-known/openid-configuration"
        },
    },
    "login": {"nameClaimType": "preferred_username", "scopes": ["openid"]},
}
# What the command line of Azure prints of an app that uses aad alone: every other provider is an empty shell.
PRINTED: dict[str, Any] = {
    "id": "/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites/app/config/authsettingsV2",
    "name": "authsettingsV2",
    "type": "Microsoft.Web/sites/config",
    "location": "West Europe",
    "properties": {
        "platform": {"enabled": True, "runtimeVersion": "~1", "configFilePath": None},
        "globalValidation": {
            "requireAuthentication": True,
            "unauthenticatedClientAction": "RedirectToLoginPage",
            "redirectToProvider": "azureactivedirectory",
            "excludedPaths": None,
        },
        "identityProviders": {
            "azureActiveDirectory": AAD
            | {
                "login": {"disableWWWAuthenticate": False, "loginParameters": ["scope=openid offline_access"]},
                "validation": {
                    "jwtClaimChecks": {},
                    "allowedAudiences": ["api://app"],
                    "defaultAuthorizationPolicy": {"allowedPrincipals": {}, "allowedApplications": None},
                },
                "isAutoProvisioned": False,
            },
            "facebook": {"enabled": True, "registration": {}, "login": {}},
            "gitHub": {"enabled": True, "registration": {}, "login": {}},
            "google": {"enabled": True, "registration": {}, "login": {}, "validation": {}},
            "twitter": {"enabled": True, "registration": {}},
            "legacyMicrosoftAccount": {"enabled": True, "registration": {}, "login": {}, "validation": {}},
            "apple": {"enabled": True, "registration": {}, "login": {}},
            "azureStaticWebApps": {"enabled": True, "registration": {}},
            "customOpenIdConnectProviders": {},
        },
        "login": {
            "routes": {},
            "tokenStore": {
                "enabled": True,
                "tokenRefreshExtensionHours": 72.0,
                "fileSystem": {},
                "azureBlobStorage": {},
            },
            "preserveUrlFragmentsForLogins": False,
            "allowedExternalRedirectUrls": [],
            "cookieExpiration": {"convention": "FixedTime", "timeToExpiration": "08:00:00"},
            "nonce": {"validateNonce": True, "nonceExpirationInterval": "00:05:00"},
        },
        "httpSettings": {
            "requireHttps": True,
            "routes": {"apiPrefix": "/.auth"},
            "forwardProxy": {"convention": "NoProxy"},
        },
        "clearInboundClaimsMapping": "false",
    },
}
# The file of several providers, as its own page of documentation spells the keys.
SEVERAL: dict[str, Any] = {
    "platform": {"enabled": True},
    "globalValidation": {"excludedPaths": ["/public/*", "/health"]},
    "identityProviders": {
        "azureActiveDirectory": AAD,
        "google": GOOGLE,
        "gitHub": GITHUB,
        "openIdConnectProviders": {"contoso": CONTOSO},
    },
    "login": {
        "routes": {"logoutEndpoint": "/bye"},
        "cookieExpiration": {"convention": "IdentityDerived"},
        "allowedExternalRedirectUrls": ["https://other.example.com/app?x=1", "app://easyauth.callback"],
    },
    "httpSettings": {"routes": {"apiPrefix": "/login-service"}, "forwardProxy": {"convention": "Standard"}},
}


def planned(
    tree: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    written: Mapping[str, ProviderSettings] | None = None,
    public_url: str = PUBLIC_URL,
) -> Planned:
    """Plan a tree as if it stood, one key a line, in a file that is called auth.json."""
    lines = name_lines(json.dumps(tree, indent=1))
    source = TreeSource(content=tree, place=lambda path: f"auth.json:{lines.get(path, 0)}", is_file=True)
    return plan_tree(source, environment=ENVIRONMENT | dict(environment or {}), public_url=public_url, written=written)


def with_key(tree: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Give a copy of a tree with a value at a path."""
    copy: dict[str, Any] = json.loads(json.dumps(tree))
    here = copy
    *above, last = path.split(".")
    for piece in above:
        here = here.setdefault(piece, {})
    here[last] = value
    return copy
