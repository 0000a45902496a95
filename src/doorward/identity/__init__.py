"""Who a request comes from and who it speaks for.

Owns the words every door shares: the request as a door sees it, and what is told to the app about the person. Pure: no
I/O, no clock, no async.
"""
