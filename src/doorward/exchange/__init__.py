"""The exchange, `/auth-service/*`: an Entra id_token in, platform tokens out, and what can be done with those.

Owns the contract: messages, envelope, statuses, and the order of checks (token-exchange reference 1). Who somebody is
and what is issued to them is decided in `accounts/`; whether a token is acceptable, in `providers/aad.py`.
"""
