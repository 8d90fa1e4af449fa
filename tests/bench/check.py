#!/usr/bin/env python3
"""Suite bench: the benchmark programs, made small, print under blink what they print natively.

usage: check.py --blink PATH --dir DIR [--set SET] [OPTION of blink]...
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import bench  # noqa: E402
import blinktest  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--set", default="o2")
    options, flags = parser.parse_known_args()
    tap = blinktest.Tap()
    compare = blinktest.Comparison(tap, [options.blink] + flags)
    for name in bench.PROGRAMS:
        path = os.path.join(options.dir, f"{name}.{options.set}")
        if os.access(path, os.X_OK):
            compare.same(f"{name}.{options.set}", [path, "2"], timeout=300)
    path = os.path.join(options.dir, "scaling.o2")
    if options.set == "o2" and os.access(path, os.X_OK):
        for threads in ("1", "4"):
            compare.same(f"scaling.o2 {threads}", [path, "2", threads], timeout=300)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
