"""One module a revision, numbered from 0001 without gaps."""
