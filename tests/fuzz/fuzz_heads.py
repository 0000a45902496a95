"""Spoiled request heads without end: `python -m tests.fuzz.fuzz_heads [COUNT] [SEED]`, a million by default.

The same promise as tests/gateway/test_judge.py holds on a few: what is accepted is well formed by the grammar and means
the same to httptools, and what is not is refused by `Unreadable` alone. Prints how many passed; stops at the first
broken promise with its seed.
"""

import sys

from doorward.gateway.fields import Unreadable
from doorward.gateway.judge import judge
from tests.support.heads import GRAMMAR, spoil_head, witnessed


def main(count: int, first: int) -> None:
    """Judge `count` heads, from the seed `first` on."""
    passed = 0
    for seed in range(first, first + count):
        raw = spoil_head(seed)
        try:
            head = judge(raw)
        except Unreadable:
            continue
        except Exception:
            print(f"seed {seed}: {raw!r}", file=sys.stderr)
            raise
        if not GRAMMAR.fullmatch(raw) or witnessed(raw) != list(head.fields):
            raise AssertionError(f"seed {seed}: {raw!r}")
        passed += 1
    print(f"{passed} of {count} passed")


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]] + [1_000_000, 0][len(sys.argv) - 1 :]
    main(words[0], words[1])
