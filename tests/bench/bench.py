#!/usr/bin/env python3
"""Programs measured natively, under blink in each of its ways, and under qemu-x86_64.

usage: bench.py --build DIR [--set SET] [--only NAME] [--engines A,B] [--repeat N]
                [--scale PERCENT] [--blink PATH] [--json FILE]

Sets: o2 and v3, CPU time of loops of every kind, as built with two sets of options (all: both);
short, threads and latency: see the files of the same names, scaling.py for threads. One run measures everything, so that ratios are of the same machine and moment; each figure is the
least of several runs (user and system time of the whole process, from wait4). Programs are built by
the build directory (target bench-programs). Nothing but the standard library is used.
"""

import argparse
import json
import os
import re
import subprocess
import sys

import latency
import scaling
import short
from harness import Engine, Runner, engines, mean, progress, ratio, show, table

PROGRAMS = ["calls", "bytes", "hash", "scalar", "packed", "indirect", "strings", "pointers",
            "longdouble", "syscalls"]
WHAT = {
    "calls": "recursive calls", "bytes": "byte stores", "hash": "integer hashing",
    "scalar": "scalar double", "packed": "packed float", "indirect": "indirect branches",
    "strings": "library strings, malloc, qsort", "pointers": "hash table, pointers",
    "longdouble": "long double", "syscalls": "system calls",
}
SETS = {"o2": "-O2", "v3": "-O3 -march=x86-64-v3"}
OTHER_SETS = {"short": short, "threads": scaling, "latency": latency}


def programs(runner, which, found):
    names = [n for n in PROGRAMS if runner.options.only in n]
    rows = []
    for name in names:
        path = os.path.join(runner.dir, f"{name}.{which}")
        row = []
        for engine in found:
            progress(f"{name} {engine.name}")
            row.append(runner.best(engine, path, [str(runner.options.scale)], runner.options.repeat)[0])
        rows.append((name, row))
    progress("")
    return rows


def startup(runner, found):
    """CPU milliseconds and peak memory of hello, by libc."""
    rows = []
    for libc in ("musl", "glibc"):
        path = os.path.join(runner.dir, f"hello.{libc}")
        if not os.path.exists(path):
            continue
        for engine in found:
            progress(f"hello.{libc} {engine.name}")
            seconds, peak = runner.best(Engine(engine.name, engine.prefix), path, [],
                                      20 * runner.options.repeat)
            rows.append((libc, engine.name, seconds, peak))
    progress("")
    return rows


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


def run_loops(runner, found, which_sets):
    """Sets o2 and v3, and hello. (results, whether all ran)"""
    results = {}
    for which in which_sets:
        results[which] = programs(runner, which, found)
        report(which, results[which], found)
    start = startup(runner, found)
    report_startup(start)
    if not runner.options.only:
        report_targets(results.get("o2") or results["v3"], start, found)
    good = not any(isinstance(v, str) for rows in results.values() for _, row in rows for v in row)
    return {"engines": [e.name for e in found], **results, "startup": start}, good


def run_other(runner, found, name):
    which = OTHER_SETS[name]
    results = which.measure(runner, found)
    which.report(results)
    return {name: results}, not which.bad(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--blink")
    parser.add_argument("--set", default="o2", choices=["o2", "v3", "all"] + list(OTHER_SETS))
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
    runner, found = Runner(options), engines(blink, options.engines)
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo", encoding="utf-8").read())
    print(f"machine: {cpu.group(1) if cpu else 'unknown'}, {os.cpu_count()} processors; "
          f"least of {options.repeat} runs")
    if options.set in OTHER_SETS:
        results, good = run_other(runner, found, options.set)
    else:
        results, good = run_loops(runner, found, ("o2", "v3") if options.set == "all" else (options.set,))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
