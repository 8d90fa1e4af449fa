"""Set latency: how soon a loop that never leaves generated code runs a signal handler, and what
storms of signals cost a computation."""

import os

from harness import progress, ratio, show, table

SAMPLES = 4000
STORMS = (0, 1000, 10000)
SIZE = 60  # per cent of the storm's computation for an engine that is not slow, times --scale


def measure(runner, found):
    keep = [e for e in found if e.name != "blink -j -m"]
    program = os.path.join(runner.dir, "latency.o2")
    results = {"engines": [e.name for e in keep], "latency": {}, "storms": {}}
    for engine in keep:
        progress(f"latency {engine.name}")
        got = runner.runs(engine, program, ["latency", str(SAMPLES)], 1, same=False)
        results["latency"][engine.name] = got if isinstance(got, str) else \
            [int(w) / 1000 for w in got[0].out.split()]
        # The interpreter does a tenth, and what emulates some of it, half.
        size = SIZE * runner.options.scale // 100 // (15 if engine.slow else 1)
        least = {hertz: None for hertz in STORMS}
        sums = set()
        for _ in range(runner.options.repeat):
            for hertz in STORMS:
                progress(f"storm of {hertz} {engine.name}")
                got = runner.runs(engine, program, ["storm", str(hertz), str(size)], 1, same=False)
                if isinstance(got, str):
                    least[hertz] = got
                elif not isinstance(least[hertz], str):
                    cpu, handlers, wall, sum_ = got[0].out.split()
                    sums.add(sum_)
                    now = (int(cpu) / 1e9, int(handlers), int(wall) / 1e9)
                    least[hertz] = min(now, least[hertz]) if least[hertz] else now
        if len(sums) > 1:
            least = {hertz: "wrong" for hertz in STORMS}
        results["storms"][engine.name] = least
    progress("")
    return results


def report(results):
    body = []
    for name in results["engines"]:
        got = results["latency"][name]
        body.append([name] + ([got] * 3 if isinstance(got, str) else [f"{v:.0f}" for v in got]))
    table(f"microseconds from when a timer is due to its handler, of {SAMPLES}",
          ["", "median", "99 %", "maximum"], body)
    body = []
    for name in results["engines"]:
        least = results["storms"][name]
        row = [name]
        for hertz in STORMS[1:]:
            got, quiet = least[hertz], least[0]
            if isinstance(got, str) or isinstance(quiet, str):
                row += [got if isinstance(got, str) else quiet] + ["-"] * 3
                continue
            cpu, handlers, wall = got
            due = wall * hertz
            row += [show(ratio(cpu, quiet[0])), str(handlers), show(100 * handlers / due),
                    show((cpu - quiet[0]) / handlers * 1e6) if handlers else "-"]
        body.append(row)
    table("a computation under a timer: CPU time over that without one, handlers run, per cent of "
          "those due,\nand CPU microseconds each",
          [""] + [c for h in STORMS[1:] for c in (f"{h // 1000} kHz", "handlers", "%", "us each")],
          body)


def bad(results):
    return any(isinstance(v, str) for v in results["latency"].values()) or \
        any(isinstance(v, str) for least in results["storms"].values() for v in least.values())
