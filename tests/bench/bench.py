#!/usr/bin/env python3
"""CPU time of programs natively, under blink in each of its ways, and under qemu-x86_64.

usage: bench.py --build DIR [--set o2|v3|all] [--only NAME] [--engines A,B] [--repeat N]
                [--scale PERCENT] [--blink PATH] [--json FILE]

One run measures everything, so that ratios are of the same machine and moment; each figure is the
least of several runs (user and system time of the whole process, from wait4). Programs are built by
the build directory (target bench-programs). Nothing but the standard library is used.
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys

PROGRAMS = ["calls", "bytes", "hash", "scalar", "packed", "indirect", "strings", "pointers",
            "longdouble", "syscalls"]
WHAT = {
    "calls": "recursive calls", "bytes": "byte stores", "hash": "integer hashing",
    "scalar": "scalar double", "packed": "packed float", "indirect": "indirect branches",
    "strings": "library strings, malloc, qsort", "pointers": "hash table, pointers",
    "longdouble": "long double", "syscalls": "system calls",
}
SETS = {"o2": "-O2", "v3": "-O3 -march=x86-64-v3"}


class Engine:
    """A way to run programs: a name for the table and the command before the program."""

    def __init__(self, name, prefix, slow=False):
        self.name, self.prefix, self.slow = name, prefix, slow


def jits(blink):
    """Names of the JIT back ends that this blink finds; the one for tests is left out."""
    out = subprocess.run([blink, "--list-plugins=json"], capture_output=True, check=False).stdout
    try:
        rows = json.loads(out)
    except ValueError:
        return []
    return [r["name"] for r in rows if r["kind"] == "jit" and r["status"] == "ok" and r["name"] != "null"]


def engines(blink, wanted):
    found = [Engine("native", []), Engine("blink -j", [blink, "-j"], True),
             Engine("blink -j -m", [blink, "-j", "-m"], True)]
    for name in jits(blink):
        found.append(Engine(f"blink {name}", [blink, f"--jit={name}"]))
        found.append(Engine(f"blink {name} -m", [blink, f"--jit={name}", "-m"]))
    qemu = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if qemu:
        found.append(Engine("qemu", [qemu, "-cpu", "max"]))
    if wanted:
        keep = [w.strip() for w in wanted.split(",")]
        found = [e for e in found if e.name in keep or e.name == "native"]
    return found


class Bench:
    def __init__(self, options):
        self.options = options
        self.dir = os.path.join(options.build, "tests", "bench")
        self.measure = os.path.join(self.dir, "measure")
        self.outputs = {}

    def once(self, command):
        """(CPU seconds, peak KiB, output), or a word that says why not."""
        r, w = os.pipe()
        # The descriptor measure writes to is 3 there.
        argv = ["/bin/sh", "-c", f'exec "$0" "$@" 3>&{w} {w}>&-', self.measure] + command
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 stdin=subprocess.DEVNULL, pass_fds=(w,), start_new_session=True)
        os.close(w)
        try:
            out, _ = child.communicate(timeout=self.options.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            os.close(r)
            return "too slow"
        with os.fdopen(r) as report:
            words = report.read().split()
        if len(words) != 4:
            return "not run"
        if int(words[0]) != 0:
            status = int(words[0])
            return f"signal {status & 127}" if status & 127 else f"exit {status >> 8}"
        return float(words[1]) + float(words[2]), int(words[3]), out

    def best(self, engine, program, arguments, repeat):
        """Least CPU time, least peak, and that all outputs are those of the first engine."""
        least, peak, spent = None, None, 0.0
        for _ in range(repeat):
            got = self.once(engine.prefix + [program] + arguments)
            if isinstance(got, str):
                return got, None
            seconds, kib, out = got
            if self.outputs.setdefault((program, tuple(arguments)), out) != out:
                return "wrong", None
            least = seconds if least is None else min(least, seconds)
            peak = kib if peak is None else min(peak, kib)
            spent += seconds
            # What takes long varies little.
            if spent > 3 and engine.slow:
                break
        return least, peak

    def programs(self, which, found):
        names = [n for n in PROGRAMS if self.options.only in n]
        rows = []
        for name in names:
            path = os.path.join(self.dir, f"{name}.{which}")
            row = []
            for engine in found:
                progress(f"{name} {engine.name}")
                row.append(self.best(engine, path, [str(self.options.scale)], self.options.repeat)[0])
            rows.append((name, row))
        progress("")
        return rows

    def startup(self, found):
        """CPU milliseconds and peak memory of hello, by libc."""
        rows = []
        for libc in ("musl", "glibc"):
            path = os.path.join(self.dir, f"hello.{libc}")
            if not os.path.exists(path):
                continue
            for engine in found:
                progress(f"hello.{libc} {engine.name}")
                seconds, peak = self.best(Engine(engine.name, engine.prefix), path, [],
                                          20 * self.options.repeat)
                rows.append((libc, engine.name, seconds, peak))
        progress("")
        return rows


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def mean(values):
    """Geometric; None if anything is missing."""
    if not values or any(not isinstance(v, float) or v <= 0 for v in values):
        return None
    return math.exp(sum(map(math.log, values)) / len(values))


def ratio(a, b):
    if isinstance(a, str):
        return a
    return a / b if isinstance(b, float) and b > 0 else "-"


def show(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table(title, head, rows):
    print(f"\n{title}\n")
    width = [max(len(r[c]) for r in [head] + rows) for c in range(len(head))]
    for row in [head] + rows:
        print("  ".join(cell.ljust(w) if c == 0 else cell.rjust(w)
                        for c, (cell, w) in enumerate(zip(row, width))).rstrip())


def ratios(title, rows, found, base, skip):
    """One table of times relative to engine number `base`; engine `skip` has no column."""
    columns = [k for k in range(len(found)) if k not in skip]
    body, sums = [], {k: [] for k in columns}
    for name, row in rows:
        cells = [WHAT[name]]
        for k in columns:
            r = ratio(row[k], row[base])
            sums[k].append(r)
            cells.append(show(r))
        body.append(cells)
    body.append(["geometric mean"] + [show(mean(sums[k])) for k in columns])
    table(title, [""] + [found[k].name for k in columns], body)


def report(which, rows, found):
    names = [e.name for e in found]
    print(f"\n== gcc {SETS[which]}, static glibc ==")
    body = [[WHAT[n]] + [f"{v:.3f}" if isinstance(v, float) else v for v in row] for n, row in rows]
    table("CPU seconds", [""] + names, body)
    ratios("times native", rows, found, 0, {0})
    if "qemu" in names:
        ratios("times qemu-x86_64", rows, found, names.index("qemu"), {0, names.index("qemu")})


def report_startup(rows):
    body = []
    for libc, name, seconds, peak in rows:
        native = next((r[2] for r in rows if r[0] == libc and r[1] == "native"), None)
        good = isinstance(seconds, float)
        body.append([f"{libc}: {name}", f"{seconds * 1000:.2f}" if good else seconds,
                     f"{(seconds - native) * 1000:+.2f}" if good and isinstance(native, float) else "-",
                     f"{peak / 1024:.1f}" if peak else "-"])
    table("start and end of hello (static)", ["", "CPU ms", "over native", "peak MiB"], body)


INTEGER = ("calls", "bytes", "hash", "indirect")


def against(rows, found, mine, theirs, names=None):
    """Ratios of engine `mine` to engine `theirs` over the programs that ran, or []."""
    at = {e.name: k for k, e in enumerate(found)}
    if mine not in at or theirs not in at:
        return []
    pairs = [(row[at[mine]], row[at[theirs]]) for n, row in rows if names is None or n in names]
    return [a / b for a, b in pairs if isinstance(a, float) and isinstance(b, float) and b > 0]


def report_targets(rows, startup, found):
    """The goals of the project beside what has just been measured."""
    jit = next((f"blink {e.name.split()[1]}" for e in found
                if e.name.startswith("blink ") and not e.name.startswith("blink -")), None)
    main_engine = jit or "blink -j"
    native, qemu = (against(rows, found, jit, other) for other in ("native", "qemu"))
    paged = against(rows, found, f"{jit} -m", jit)
    integer = against(rows, found, "blink -j", "qemu", INTEGER)
    start = {(libc, name): (seconds, peak) for libc, name, seconds, peak in startup
             if isinstance(seconds, float)}
    late = [1000 * (start[l, main_engine][0] - start[l, "native"][0]) for l in ("musl", "glibc")
            if (l, main_engine) in start]
    heavy = [start[l, main_engine][1] / start[l, "qemu"][1] for l in ("musl", "glibc")
             if (l, main_engine) in start and (l, "qemu") in start]
    goals = [
        ("JIT, times native, mean", mean(native), 1.3),
        ("JIT, times native, worst", max(native, default=None), 2),
        ("JIT, times qemu, mean", mean(qemu), 0.25),
        ("JIT, times qemu, worst", max(qemu, default=None), 1),
        ("JIT, paged over linear, mean", mean(paged), 4),
        ("interpreter, integer, times qemu, mean", mean(integer), 8),
        ("hello, CPU ms over native, worst", max(late, default=None), 4),
        ("hello, peak over that of qemu, worst", max(heavy, default=None), 0.5),
    ]
    body = [[what, show(got), f"<= {most:g}", "met" if got <= most else "not met"]
            for what, got, most in goals if got is not None]
    if body:
        table("goals", ["", "measured", "goal", ""], body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--blink")
    parser.add_argument("--set", default="o2", choices=["o2", "v3", "all"])
    parser.add_argument("--only", default="")
    parser.add_argument("--engines", default="")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=int, default=100)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--json")
    options = parser.parse_args()
    blink = os.path.abspath(options.blink or os.path.join(options.build, "blink"))
    if subprocess.run(["ninja", "-C", options.build, "bench-programs"],
                      stdout=subprocess.DEVNULL, check=False).returncode:
        print("bench: the programs could not be built; see ninja bench-programs", file=sys.stderr)
        return 1
    bench, found = Bench(options), engines(blink, options.engines)
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo", encoding="utf-8").read())
    print(f"machine: {cpu.group(1) if cpu else 'unknown'}; least of {options.repeat} runs")
    results = {}
    for which in ("o2", "v3") if options.set == "all" else (options.set,):
        results[which] = bench.programs(which, found)
        report(which, results[which], found)
    results["startup"] = bench.startup(found)
    report_startup(results["startup"])
    if not options.only:
        report_targets(results.get("o2") or results["v3"], results["startup"], found)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"engines": [e.name for e in found], **results}, f, indent=1)
    bad = [row for which in results if which != "startup" for _, row in results[which]
           if any(isinstance(v, str) for v in row)]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
