"""Makes tests/integration/support importable, however a program of this folder was started."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
