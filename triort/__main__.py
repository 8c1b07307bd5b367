"""``python -m triort`` is the command ``triort``."""

import sys

from triort._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
