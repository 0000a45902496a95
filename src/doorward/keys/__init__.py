"""Keys: the providers' key sets, and the ring of our own.

Owns what is kept in memory about keys and when it is renewed. How a key document is read and a signature checked is
`protocol.jose`'s business.
"""
