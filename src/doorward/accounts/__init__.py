"""The platform's own nouns: users, organizations, registrations, clients, and the tokens that are issued to them.

Owns who is who and what was issued to whom. Use cases are plain functions of a cursor, all or nothing; the database's
unique constraints decide races. Knows nothing of HTTP.
"""
