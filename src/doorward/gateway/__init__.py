"""The gateway: every path of the public listener that no other room answers."""
