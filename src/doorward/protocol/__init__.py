"""Others' words: JOSE, OpenID Connect and OAuth as their specifications write them.

Pure: no I/O, no clock, no settings. A function here takes bytes or values and gives a better type or raises.
"""
