"""The command line: every command of `doorward`, and nothing that another part of the house needs.

Owns words and options, what is printed, and exit statuses: 0 done, 1 refused or failed, 2 wrong usage. What a command
does is somebody else's use case.
"""
