"""``python -m repoint`` is the ``repoint`` command."""

import sys

from repoint.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
