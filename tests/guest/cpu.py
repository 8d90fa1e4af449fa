#!/usr/bin/env python3
"""Suite guest: what --cpu leaves is there, what it takes away is not, and programs choose by it.

usage: cpu.py --blink PATH --dir DIR --source ROOT [OPTION of blink]...
DIR holds features.glibc and ifunc.glibc.
"""

import argparse
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import blinktest  # noqa: E402

# Model, what names of the C library's functions must and must not say.
MODELS = [
    ("x86-64-v1", "sse2", "ssse3|sse4|sse42|avx|evex"),
    ("x86-64-v2", "sse4|sse42|ssse3", "avx|evex"),
    ("x86-64-v3", "avx2", "evex|avx512"),
    ("max", "avx2", "evex|avx512"),
    ("max,-avx2", "sse2", "avx2|evex"),
]


def removable(root):
    """Features above the first level."""
    with open(os.path.join(root, "core/cpu/features.def"), encoding="utf-8") as table:
        return re.findall(r'FEATURE\("(\w+)", \w+, \d+, [234]\)', table.read())


def check_features(tap, blink, program, model):
    r = blinktest.run(blink + ["--cpu=" + model, program])
    good = r.status == 0 and re.search(rb"\b0 failed", r.out)
    tap.case("features: --cpu=" + model, good, blinktest.describe_status(r.status),
             blinktest.clip(r.out), blinktest.clip(r.err))


def symbols(nm, program):
    """Names by address."""
    names = {}
    for line in blinktest.run([nm, program]).out.decode().splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tTiI":
            names.setdefault(int(words[0], 16), []).append(words[2])
    return names


def check_choice(tap, blink, program, names, row):
    model, wanted, unwanted = row
    r = blinktest.run(blink + ["--cpu=" + model, program])
    chosen = [n for a in re.findall(rb"chosen ([0-9a-f]+)", r.out) for n in names.get(int(a, 16), [])]
    good = r.status == 0 and re.search(rb"\b0 failed", r.out)
    good = good and any(re.search(wanted, n) for n in chosen)
    bad = [n for n in chosen if re.search(unwanted, n)]
    tap.case("choice: --cpu=" + model, good and not bad, "chosen: " + " ".join(chosen),
             "should not be: " + " ".join(bad), blinktest.clip(r.err))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--source", required=True)
    options, flags = parser.parse_known_args()
    tap = blinktest.Tap()
    blink = [options.blink] + flags
    features = os.path.join(options.dir, "features.glibc")
    if os.access(features, os.X_OK):
        for model in [m[0] for m in MODELS] + ["max,-" + f for f in removable(options.source)]:
            check_features(tap, blink, features, model)
    ifunc, nm = os.path.join(options.dir, "ifunc.glibc"), shutil.which("nm")
    if os.access(ifunc, os.X_OK) and nm:
        names = symbols(nm, ifunc)
        for row in MODELS:
            check_choice(tap, blink, ifunc, names, row)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
