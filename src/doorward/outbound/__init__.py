"""The only user of the HTTP client: documents, token requests and profiles fetched from providers.

Owns what every call to the outside has in common: HTTPS with a checked certificate (plain HTTP to this machine only),
no redirect, a bound on the whole time and on the size, and the operator's proxy. Only addresses from the settings, or
from a document found at one, are handed to it, never one that came with a token (token-exchange reference 2.2). Calls
run in threads of their own; the client library is loaded by the first of them, because a worker must be ready before it
needs anybody's keys.
"""

from doorward.outbound.client import Answer as Answer
from doorward.outbound.client import Outbound as Outbound
from doorward.outbound.failure import OutboundFailed as OutboundFailed
from doorward.outbound.route import trust_system_and as trust_system_and
