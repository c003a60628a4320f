"""Run the command line as ``python -m kitchen``."""

from kitchen.cli import main

if __name__ == "__main__":
    main()
