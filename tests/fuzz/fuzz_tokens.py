"""Spoiled tokens without end: `python -m tests.fuzz.fuzz_tokens [COUNT] [SEED]`, a million by default.

The same promise as tests/protocol/test_witnesses.py holds on a few thousand: a token is accepted or refused by a check,
and nothing else is ever raised. Prints how often each check refused; stops at the first broken promise with its seed.
"""

import random
import sys
from collections import Counter

from tests.support.entra import Bench
from tests.support.spoiling import spoil


def main(count: int, first: int) -> None:
    """Check `count` tokens, from the seed `first` on."""
    bench, refused = Bench(), Counter[str]()
    for seed in range(first, first + count):
        token = spoil(random.Random(seed))  # noqa: S311 - repeatable on purpose
        try:
            refused[bench.refused_by(token) or "accepted"] += 1
        except Exception:
            print(f"seed {seed}: {token!r}", file=sys.stderr)
            raise
    for name, times in refused.most_common():
        print(f"{times:>9}  {name}")


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]] + [1_000_000, 0][len(sys.argv) - 1 :]
    main(words[0], words[1])
