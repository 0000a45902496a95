"""The clouds in use: `global`, those with a table in the settings, and those that a registration names."""

from collections.abc import Iterable, Mapping

from doorward.accounts.registrations import Registrations
from doorward.config.clouds import Cloud
from doorward.providers.aad import Authority


class CloudsInUse:
    """Which clouds' tokens are looked at, and where their keys are."""

    def __init__(self, clouds: Mapping[str, Cloud], configured: frozenset[str], registrations: Registrations) -> None:
        """Choose among `clouds`; `configured` are in use whatever is registered."""
        self._clouds = clouds
        self._configured = configured
        self._registrations = registrations
        self.authorities: tuple[Authority, ...] = ()
        self.update()

    def update(self) -> None:
        """Look again at the registrations, which have changed."""
        names = self._configured | self._registrations.clouds()
        self.authorities = tuple(authorities_of(self._clouds[name] for name in sorted(names & self._clouds.keys())))

    def key_urls(self) -> tuple[str, ...]:
        """Give the address of every key document in use."""
        return tuple(dict.fromkeys(authority.keys for authority in self.authorities))

    def registered_key_urls(self) -> Mapping[str, tuple[str, ...]]:
        """Give, for each cloud that a registration names, the addresses of its key documents."""
        return {
            name: tuple(a.keys for a in self.authorities if a.cloud == name) for name in self._registrations.clouds()
        }


def authorities_of(clouds: Iterable[Cloud]) -> list[Authority]:
    """Give the authorities of some clouds, version 2.0 first."""
    found: list[Authority] = []
    for cloud in clouds:
        versions = (("2.0", cloud.issuer_v2, cloud.keys_v2), ("1.0", cloud.issuer_v1, cloud.keys_v1))
        found += [
            Authority(
                cloud=cloud.name,
                version=version,
                issuer=issuer,
                keys=keys,
                issuer_v2=cloud.issuer_v2,
                keys_v2=cloud.keys_v2,
            )
            for version, issuer, keys in versions
            if issuer and keys
        ]
    return found
