#!/usr/bin/env python3
"""Suite guest: the programs of this folder natively and under blink, every case in TAP.

usage: run.py --blink PATH --dir DIR [--only NAME,...] [--less] [OPTION of blink]...
DIR holds the built programs as NAME.FLAVOUR: glibc, musl, pie, bare, and v3, which is run with
--cpu=max.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import blinktest  # noqa: E402

# Program, then the arguments of each of its cases.
CASES = {
    "hello": [[]],
    "nolibc": [[]],
    "sort": [[]],
    "longdouble": [[]],
    "digits": [[]],
    "edges": [[]],
    "branches": [[]],
    "matrix": [[]],
    "fft": [[]],
    "json": [[]],
    "deflate": [[]],
    "sha256": [[]],
    "jumps": [[]],
    "strtod": [["1000000"]],
    "regex": [[]],
    "sse2": [[]],
    "segv": [[]],
    "traps": [[]],
    "signals": [[]],
    "selfmod": [[]],
    "atomics": [[]],
    "threads": [[]],
    "process": [[], ["shell"]],
    "children": [[]],
    "shared": [[]],
    "procfs": [[]],
    "ids": [[]],
    "chroot": [[]],
    "attributes": [[]],
    "rest": [[]],
    "async": [[]],
    "pointers": [[]],
    "stack": [[]],
    "returns": [[]],
    "tls": [[]],
    "args": [[], ["one"], ["two words", "", "-v", "--", "caf\u00e9"], ["x" * 60000] * 2],
    "flags": [[]],
    "rounding": [[]],
    "storms": [[]],
    "endless": [[]],
    "recode": [[]],
    "churn": [[]],
    "features": [[]],
    "futex": [[]],
    "calls": [[]],
    "rare": [[]],
    "clocks": [[]],
    "files": [[]],
    "ipc": [[]],
    "vsyscall": [[]],
    "ends": [["return", "0"], ["return", "300"], ["exit", "255"], ["_exit", "7"], ["thread", "9"],
             ["last-thread", "4"], ["pending", "5"], ["thread-pending", "6"], ["abort"],
             ["raise", "15"], ["kill", "9"], ["kill", "1"], ["raise", "34"], ["segv"],
             ["ignore-segv"], ["block-segv"], ["divide"], ["ud2"], ["int3"], ["bad-stack"],
             ["jump"], ["hang-up"]],
}

# musl prints doubles through 80-bit arithmetic, which is slow to interpret; with --less the
# interpreter, which is tried on all else, does not do the whole million either.
FEWER = {("strtod", "musl"): [["50000"]]}
LESS = {("strtod", "glibc"): [["100000"]], ("strtod", "musl"): [["20000"]]}


FLAVOURS = ("glibc", "musl", "pie", "bare", "v3")
# What the host's processor must have, in the words of /proc/cpuinfo.
V3 = {"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}
MORE = {"json": {"pclmulqdq"}, "sha256": {"sha_ni"},
        "edges": {"adx", "aes", "clflushopt", "clwb", "fsgsbase", "pclmulqdq", "rdpid", "rdseed",
                  "sha_ni", "vaes", "vpclmulqdq", "xsavec", "xsaveopt"}}


def host_words(key):
    """Words of the first line of /proc/cpuinfo for `key`."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith(key):
                    return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set()


def missing(name, flavour):
    """Why a program cannot run here natively, or None."""
    if name in ("edges", "branches") and "AuthenticAMD" not in host_words("vendor_id"):
        return "the host's processor is not AMD's, whose manual the decoder follows"
    if flavour == "v3" or name == "edges":
        lacks = (V3 | MORE.get(name, set())) - host_words("flags")
        if lacks:
            return "the host's processor has no " + ", ".join(sorted(lacks))
    if name == "vsyscall":
        with open("/proc/self/maps", encoding="utf-8") as maps:
            if "[vsyscall]" not in maps.read():
                return "the host's kernel has no vsyscall page"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--less", action="store_true")
    options, flags = parser.parse_known_args()
    tap = blinktest.Tap()
    plain = blinktest.Comparison(tap, [options.blink] + flags)
    full = blinktest.Comparison(tap, [options.blink, "--cpu=max"] + flags)
    for program in sorted(os.listdir(options.dir)):
        name, _, flavour = program.partition(".")
        path = os.path.join(options.dir, program)
        if name not in CASES or flavour not in FLAVOURS:
            continue
        if not any(only in program for only in options.only.split(",")) or not os.access(path, os.X_OK):
            continue
        reason = missing(name, flavour)
        if reason:
            tap.skip(program, reason)
            continue
        cases = FEWER.get((name, flavour), CASES[name])
        if options.less:
            cases = LESS.get((name, flavour), cases)
        compare = full if flavour == "v3" else plain
        for arguments in cases:
            label = " ".join([program] + [a[:20] for a in arguments])
            compare.same(label, [path] + arguments, timeout=300,
                         env={"ONE": "1", "EMPTY": "", "SPACES": "two words"})
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
