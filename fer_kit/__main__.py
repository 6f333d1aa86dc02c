"""`python -m fer_kit`."""

import sys

if __name__ == "__main__":
    try:
        from fer_kit.tools.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:  # before the installation; afterwards cli names the extra
        if error.name.startswith("fer_kit"):
            raise
        install = "in the kit's folder, python -m pip install -r requirements.txt"
        print(f"fer_kit: {error.name} is not installed: {install}", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
