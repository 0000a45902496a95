"""Pretend identity providers, for development and tests only.

Owns what a provider would do: its documents, its keys, its people, its tokens. Knows the words of the protocols and
nothing of the house, so that the production client runs against it over real HTTP. Strict: it answers this machine
only, and `serve` never starts it. `pretend.Pretend` says what a pretend provider is; `app.EmulatorApp` serves all.
"""
