"""The ground floor: clock, entropy, secrets, strict JSON, and the error catalogue.

Owns nothing that touches a file, a socket or a database. Every other package may import this one; it imports none.
"""
