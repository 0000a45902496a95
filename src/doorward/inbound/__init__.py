"""Serving HTTP: the only package that imports uvicorn and httptools.

`door` turns a request into a `Visit` and a `Reply` into a response, and knows no server. `wire` is uvicorn's connection
with the limits that it lacks, `listen` makes sockets, and `serve` runs all listeners in one event loop and drains them.
Nothing here knows what a route means.
"""
