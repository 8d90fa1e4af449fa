"""What the sets of benchmarks share: ways to run programs, measuring them, tables of the results.

Figures are of whole processes, from wait4 (see measure.c). Nothing but the standard library is used.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import typing


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


class Run(typing.NamedTuple):
    """What one run of a program took: CPU and wall seconds, peak KiB; and what it printed."""

    cpu: float
    wall: float
    peak: int
    out: bytes


class Runner:
    """Runs programs of the build directory, and others, under engines."""

    def __init__(self, options):
        self.options = options
        self.dir = os.path.join(options.build, "tests", "bench")
        self.measure = os.path.join(self.dir, "measure")
        self.outputs = {}

    def once(self, command):
        """A Run, or a word that says why there is none."""
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
        if len(words) != 5:
            return "not run"
        if int(words[0]) != 0:
            status = int(words[0])
            return f"signal {status & 127}" if status & 127 else f"exit {status >> 8}"
        return Run(float(words[1]) + float(words[2]), float(words[3]), int(words[4]), out)

    def runs(self, engine, program, arguments, repeat, same=True):
        """Some Runs, all with the output of the first engine if `same`, or a word."""
        found = []
        for _ in range(repeat):
            got = self.once(engine.prefix + [program] + arguments)
            if isinstance(got, str):
                return got
            if same and self.outputs.setdefault((program, tuple(arguments)), got.out) != got.out:
                return "wrong"
            found.append(got)
            # What takes long varies little.
            if engine.slow and sum(r.cpu for r in found) > 3:
                break
        return found

    def best(self, engine, program, arguments, repeat):
        """(least CPU time or a word, least peak or None)"""
        found = self.runs(engine, program, arguments, repeat)
        if isinstance(found, str):
            return found, None
        return min(r.cpu for r in found), min(r.peak for r in found)

    def split(self, engine, command):
        """Seconds that blink counts itself in one run, of all its processes, and the CPU time of
        that run; or None."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
            got = self.once(engine.prefix + ["--stats", f"--log={log.name}"] + command)
            text = log.read()
        found = re.findall(r"translated: (\d+) blocks, .*; decoding ([0-9.]+) s, translating ([0-9.]+) s, "
                           r"waiting for the lock of translation ([0-9.]+) s", text)
        if isinstance(got, str) or not found:
            return None
        blocks, decode, translate, wait = (sum(map(float, column)) for column in zip(*found))
        return {"cpu": got.cpu, "wall": got.wall, "blocks": blocks, "decode": decode,
                "translate": translate, "wait": wait}


def jit_engine(found):
    """The first engine with a JIT in linear memory, or None."""
    return next((e for e in found if e.name.startswith("blink ") and not e.name.startswith("blink -")
                 and not e.name.endswith(" -m")), None)


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
