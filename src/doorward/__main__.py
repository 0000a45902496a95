"""`python -m doorward`: the same program as the command `doorward`."""

import sys

from doorward.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
