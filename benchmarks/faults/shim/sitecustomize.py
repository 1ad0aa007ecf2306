"""Read by every Python process that has this folder on its path: lets its disk fail, see ``failing.py`` above."""

import os
import sys
from pathlib import Path

if "FAULT_FOLDER" in os.environ:
    sys.path.append(str(Path(__file__).parents[1]))
    from failing import fail_as_told

    fail_as_told(os.environ)
