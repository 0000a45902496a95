"""Settings: one table of rows, read from a file, the environment and the command line.

Owns what can be set, what each value may be, where it came from, and what is wrong with it. It refuses to guess: an
unknown key, a wrong type or a setting for a part that is not built is a finding, never a silent default. `loading` is
the way in: `load` gives `Settings` or raises, `check` gives the findings.
"""
