"""``python -m ipyflops``: counts a script, shows a saved report, compares two."""

from __future__ import annotations

import sys

from ipyflops.scripts import main

if __name__ == "__main__":
    sys.exit(main())
