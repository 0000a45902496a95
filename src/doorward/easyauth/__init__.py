"""Easy Auth's own endpoints: sign-in, sign-out, and what somebody may ask about themselves (easy-auth reference 1).

Owns everything below `httpSettings.routes.apiPrefix` that a browser or a script asks for. Knows no other room.
"""
