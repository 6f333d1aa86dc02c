"""`python -m fer_kit`."""

import sys

if __name__ == "__main__":
    try:
        from fer_kit.tools.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main())
