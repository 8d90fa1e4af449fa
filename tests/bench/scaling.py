"""Set threads: the same mixed work shared among 1, 2, 4 and 64 threads, natively and under blink,
and how long threads wait for the lock under which code is translated."""

import os

from harness import jit_engine, progress, ratio, show, table

COUNTS = (1, 2, 4, 64)
SIZE = 4  # times --scale


def measure(runner, found):
    keep = [e for e in found if e.name in ("native", "qemu")]
    jit = jit_engine(found)
    if jit:
        keep.insert(1, jit)
    program = os.path.join(runner.dir, "scaling.o2")
    results = {"engines": [e.name for e in keep], "counts": list(COUNTS), "runs": {}, "split": {}}
    for count in COUNTS:
        arguments = [str(SIZE * runner.options.scale), str(count)]
        least = {e.name: None for e in keep}
        # By turns, so that all see the same machine; in the end the result is one and the same.
        for _ in range(runner.options.repeat):
            for engine in keep:
                progress(f"{count} threads {engine.name}")
                got = runner.runs(engine, program, arguments, 1)
                old = least[engine.name]
                if isinstance(got, str) or isinstance(old, str):
                    least[engine.name] = got if isinstance(got, str) else old
                    continue
                wall, cpu = got[0].wall, got[0].cpu
                least[engine.name] = (min(wall, old[0]), min(cpu, old[1])) if old else (wall, cpu)
        results["runs"][count] = least
        if jit:
            results["split"][count] = runner.split(jit, [program] + arguments)
    progress("")
    return results


def of(results, count, name, which):
    got = results["runs"][count][name]
    return got if isinstance(got, str) else got[which]


def report(results):
    for which, what in enumerate(("wall", "CPU")):
        body = []
        for count in results["counts"]:
            row = [str(count)]
            for name in results["engines"]:
                seconds = of(results, count, name, which)
                row += [show(seconds), show(ratio(seconds, of(results, 1, name, which)))]
            body.append(row + [show(ratio(of(results, count, name, which),
                                          of(results, count, "native", which)))
                               for name in results["engines"][1:]])
        head = [cell for name in results["engines"] for cell in (name, "x 1 thread")]
        table(f"{what} seconds by number of threads", ["threads"] + head +
              [f"{name} x native" for name in results["engines"][1:]], body)
    body = []
    for count, s in results["split"].items():
        if s:
            body.append([str(count), f"{s['blocks']:.0f}"] +
                        [f"{1000 * s[k]:.1f}" for k in ("cpu", "decode", "translate", "wait")])
    if body:
        table("translation, in milliseconds (of all threads, of one run with --stats)",
              ["threads", "blocks", "CPU", "decode", "translate", "wait for the lock"], body)


def bad(results):
    return any(isinstance(v, str) for run in results["runs"].values() for v in run.values())
