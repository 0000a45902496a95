"""Doorward: sign-in for any web app or API, without code in the app, on any machine."""

__version__ = "0.1.0"
