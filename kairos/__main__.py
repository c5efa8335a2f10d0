"""Run `python -m kairos`."""

from kairos.cli import main

if __name__ == "__main__":
    main()
