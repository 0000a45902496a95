"""One file per identity provider: everything that is known of it, as data and pure functions."""
