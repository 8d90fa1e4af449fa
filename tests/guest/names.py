#!/usr/bin/env python3
"""Suite guest: perf and GDB learn the names of translated code.

usage: names.py --blink PATH --dir DIR [OPTION of blink]...
DIR holds spin.glibc and other guest programs.
"""

import argparse
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import blinktest  # noqa: E402

# Signals that blink itself lives by, and the one that is waited for.
SIGNALS = ["-ex", "handle SIGSEGV SIGBUS SIG33 SIG64 nostop noprint pass",
           "-ex", "handle SIGALRM stop print pass"]
# Until the loop has its name, which GDB gets some moments after the loop has begun.
WAIT = """python
import gdb
while "{name}" not in gdb.execute("info symbol $pc", to_string=True):
    gdb.execute("continue")
"""


def address_of(program, symbol):
    """Of a function of the program, as its blocks are named; or None."""
    nm = shutil.which("nm")
    for line in blinktest.run([nm, program]).out.decode().splitlines() if nm else []:
        words = line.split()
        if len(words) == 3 and words[2] == symbol:
            return f"{int(words[0], 16):x}"
    return None


def check_perf(tap, blink, program):
    child = blinktest.start(blink + ["--perf-map", program, "10"])
    path = f"/tmp/perf-{child.pid}.map"
    r = blinktest.finish(child)
    try:
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        os.unlink(path)
    except OSError:
        lines = []
    odd = [line for line in lines if not re.fullmatch(r"[0-9a-f]+ [0-9a-f]+ \w+", line)]
    named = {line.split()[2] for line in lines if line not in odd}
    # The loop is a block, or begins after one.
    spin = int(address_of(program, "spin") or "0", 16)
    near = [n for n in named if re.fullmatch("guest_[0-9a-f]+", n)
            and 0 <= int(n[6:], 16) - spin < 64]
    tap.case("perf map names the loop", r.status == 0 and near and not odd,
             blinktest.describe_status(r.status), *odd[:3], *sorted(named)[:20])


def gdb_trouble(gdb):
    """Why there is nothing to be had of GDB here, or None."""
    if not gdb:
        return "gdb is not installed"
    r = blinktest.run([gdb, "-nx", "-batch", "-ex", "python print(6 * 7)", "-ex", "run", "--args",
                       "/bin/true"])
    if b"42" not in r.out:
        return "this gdb has no Python"
    if b"exited normally" not in r.out:
        return "gdb may not run programs here"
    return None


def check_gdb(tap, gdb, blink, program):
    script = ["-ex", "set confirm off", "-ex", "set debuginfod enabled off", *SIGNALS, "-ex", "run"]
    name = "guest_" + (address_of(program, "spin") or "")[:-2]
    path = os.path.join(os.path.dirname(program), "names.gdb")
    with open(path, "w", encoding="utf-8") as f:
        f.write(WAIT.format(name=name))
    r = blinktest.run([gdb, "-nx", "-batch", *script, "-x", path, "-ex", "echo here:\\n", "-ex",
                       "info symbol $pc", "-ex", "backtrace 1", "-ex", "kill", "--args"] + blink +
                      ["--gdb-jit", program, "1000000"], timeout=300)
    out = r.out.decode("utf-8", "replace").partition("here:\n")[2]
    good = re.search(rf"^{name}\w+( \+ \d+)? in section code", out, re.M) and \
        re.search(rf"^#0 .*\b{name}\w+ \(\)", out, re.M)
    tap.case("gdb names the loop", good, blinktest.clip(r.out), blinktest.clip(r.err))


def check_gdb_end(tap, gdb, blink, program):
    """Files come and go by the hundred under GDB, and the program ends as ever."""
    r = blinktest.run([gdb, "-nx", "-batch", "-ex", "set debuginfod enabled off", *SIGNALS[:2],
                       "-ex", "handle SIGALRM nostop noprint pass", "-ex", "run", "--args"] + blink +
                      ["--gdb-jit", "--jit-cache=1M", program], timeout=600)
    tap.case("gdb, and all is forgotten again and again", b"exited normally" in r.out,
             blinktest.clip(r.out), blinktest.clip(r.err))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    options, flags = parser.parse_known_args()
    tap = blinktest.Tap()
    blink = [os.path.abspath(options.blink)] + flags
    spin = os.path.join(options.dir, "spin.glibc")
    if not os.access(spin, os.X_OK):
        return tap.finish()
    check_perf(tap, blink, spin)
    compare = blinktest.Comparison(tap, blink + ["--gdb-jit", "--jit-cache=1M"])
    for name in ("churn", "process", "returns"):
        compare.same(f"{name}.glibc", [os.path.join(options.dir, f"{name}.glibc")])
    gdb = shutil.which("gdb")
    trouble = gdb_trouble(gdb)
    if trouble:
        tap.skip("gdb", trouble)
    else:
        check_gdb(tap, gdb, blink, spin)
        check_gdb_end(tap, gdb, blink, os.path.join(options.dir, "churn.glibc"))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
