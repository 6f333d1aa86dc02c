"""`python -m fer_kit`."""

import sys

from fer_kit.tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
