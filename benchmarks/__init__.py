"""Measurements of the finished product; `scripts/bench` runs them, docs/performance.md holds what came out."""
