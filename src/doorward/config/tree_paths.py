"""Paths and redirect targets in the auth tree: which spellings can be followed, and which could only mislead.

An entry that can never match, or that somebody could read in another way than it is followed, is refused here, where
its writer sees it, and not found out by whoever is let in or kept out (easy-auth reference 9.2, 9.4 and 10.3;
interface, section 7).
"""

import re

from doorward.base.targets import allowed_target
from doorward.config.addresses import Unsuitable
from doorward.identity.paths import OpenPaths

ROUTE_MAX = 256
PATH_MAX = 2048
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_DOTS = frozenset({".", ".."})
_FOREIGN = ("/auth-service", "/.well-known")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def read_route(text: str) -> str:
    """Read an address of ours, such as `/.auth`, without the slash at its end; raises `Unsuitable`.

    Empty stays empty. What belongs to the token service or to metadata is refused: two doors would answer there.
    """
    route = text.rstrip("/") if len(text) > 1 else text
    segments = route.split("/")[1:]
    plain = all(_SEGMENT.fullmatch(segment) and segment not in _DOTS for segment in segments)
    if text and not (route.startswith("/") and plain and len(route) <= ROUTE_MAX):
        raise Unsuitable("is not a plain path below the root", 'Write for example "/.auth".')
    if any(lies_below(route.lower(), taken) for taken in _FOREIGN):
        raise Unsuitable("lies where the token service or metadata are served", "Choose another path.")
    return route


def lies_below(path: str, above: str) -> bool:
    """Say whether a path is another one or lies below it."""
    return path == above or path.startswith(f"{above}/")


def read_excluded_path(text: str) -> str:
    """Read one entry of `excludedPaths`: an exact path, or a prefix that ends in `/*`; raises `Unsuitable`."""
    path = text[:-1] if text.endswith("/*") else text
    if not _PATH.fullmatch(path) or len(path) > PATH_MAX:
        raise Unsuitable("must hold paths that begin with a slash", 'Write for example "/public/*".')
    if "*" in path:
        raise Unsuitable("has a star elsewhere than in /* at the end of a path", 'Write "/public/*" for all below it.')
    if "?" in path or "#" in path:
        raise Unsuitable("has a query or a fragment", "Write the path alone.")
    covered = OpenPaths.of((text,))
    if not covered.exact and not covered.prefixes:
        # The interface's ruling: such a path is never taken for an excluded one, so the entry could never match.
        raise Unsuitable("has a part that no excluded path may have", "Leave out //, ;, \\, dot segments and %2F.")
    return text


def read_target(text: str) -> str:
    """Read one entry of `allowedExternalRedirectUrls`, its query dropped; raises `Unsuitable`.

    What it lets a browser go to is for `base.targets` to say; here the entry is held to being one that can match.
    """
    target = re.split(r"[?#]", text, maxsplit=1)[0]
    if "*" in target:
        raise Unsuitable("has a star, and no pattern is followed here", "Write each host by itself.")
    if _SCHEME.match(target) is None:
        raise Unsuitable("must hold whole addresses", 'Write for example "https://other.example.com".')
    if allowed_target(target, "", (target,)) is None:
        raise Unsuitable("holds an address that no browser may be sent to", "Write scheme, host and path, plainly.")
    return target
