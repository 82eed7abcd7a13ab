"""`python -m benchmarks [reading] [gating] [placing] [startup]`: beside the other tools, as ratios within one run; all by default.

The machines are noisy, so only the ratios are worth quoting.
"""

from __future__ import annotations

import argparse
import warnings
from importlib import import_module

WHAT = ("reading", "gating", "placing", "startup")


def main() -> int:
    """Run what is asked for; status 1 where a result was wrong, never for being slow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"any of {', '.join(WHAT)}; all by default")
    asked = parser.parse_args().what
    for name in asked:
        if name not in WHAT:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(WHAT)}")
    warnings.simplefilter("ignore")  # the peers' deprecations
    return max(import_module(f"benchmarks.{name}").main() for name in asked or WHAT)


if __name__ == "__main__":
    raise SystemExit(main())
