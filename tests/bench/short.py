"""Set short: what people start and wait for, a compiler, two interpreters, git and hello; the peak
of memory of each; and what blink does before it runs code of its own."""

import os
import shutil
import subprocess
import tempfile

from harness import Engine, jit_engine, mean, progress, ratio, show, table

# By their plain names, so that no wrapper of the user's is measured.
PATH = "/usr/bin:/bin:/usr/local/bin"
FUNCTION = """
static int work_{n}(struct item *v, int count, unsigned seed) {{
    int best = -1;
    for (int k = 0; k < count; k++) {{
        v[k].weight = (int)(seed >> (k & 7)) % ({n} + 3);
        switch ((v[k].kind + seed) % 5) {{
        case 0: v[k].score += v[k].weight * {n}; break;
        case 1: v[k].score -= v[k].name[k & 15]; break;
        case 2: v[k].score ^= (int)strlen(v[k].name) << ({n} & 3); break;
        case 3: memmove(v[k].name, v[k].name + 1, 15); v[k].name[15] = 0; break;
        default: v[k].ratio = v[k].ratio * 1.5 + v[k].weight / (double)(k + 1);
        }}
        if (best < 0 || v[best].score < v[k].score)
            best = k;
    }}
    return best < 0 ? {n} : v[best].score + (int)v[best].ratio;
}}
"""


def write_source(path):
    """A C file of 300 lines: a structure, functions with loops and switches, a table of them."""
    count = 15
    lines = ["/* No header: all that the compiler reads is here. */", "typedef unsigned long size_t;",
             "int printf(const char *format, ...);", "size_t strlen(const char *text);",
             "void *memmove(void *to, const void *from, size_t size);", "",
             "struct item {", "    int kind, weight, score;", "    double ratio;", "    char name[16];",
             "};"]
    for n in range(count):
        lines += FUNCTION.format(n=n).rstrip("\n").split("\n")
    lines += ["", "static int (*const table[])(struct item *, int, unsigned) = {"]
    lines += [f"    work_{n}," for n in range(count)]
    lines += ["};", "int main(void) {", "    static struct item v[64];", "    int sum = 0;",
              "    for (int k = 0; k < 64; k++) {", "        v[k].kind = k * 7;",
              "        v[k].ratio = 1.0 / (k + 1);", "        for (int c = 0; c < 15; c++)",
              "            v[k].name[c] = (char)('a' + (k * c) % 26);", "    }",
              "    for (unsigned k = 0; k < 1000; k++)",
              "        sum += table[k % (sizeof table / sizeof table[0])](v, 64, k * 2654435761u);",
              '    printf("%d\\n", sum);', "    return 0;", "}"]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def find_cc1(folder):
    """cc1 and its arguments, or None."""
    gcc = shutil.which("gcc", path=PATH)
    if not gcc:
        return None
    cc1 = subprocess.run([gcc, "-print-prog-name=cc1"], capture_output=True, text=True,
                         check=False).stdout.strip()
    source = os.path.join(folder, "source.c")
    write_source(source)
    if not os.path.isabs(cc1):
        return None
    return [cc1, "-quiet", "-O2", source, "-o", os.path.join(folder, "source.s")]


def commands(runner, folder):
    """(name, command) of what is here."""
    found = [("cc1 -O2, 300 lines", find_cc1(folder))]
    for words in ("python3 -c pass", "perl -e 1", "git --version"):
        name, *rest = words.split()
        path = shutil.which(name, path=PATH)
        found.append((words, [os.path.realpath(path)] + rest if path else None))
    found.append(("hello (static)", [os.path.join(runner.dir, "hello.glibc")]))
    return [(name, command) for name, command in found if command]


def wanted_engines(found):
    """In linear and in paged memory, but not interpreted in paged memory, which nobody waits for."""
    return [Engine(e.name, e.prefix, e.slow) for e in found if e.name != "blink -j -m"]


def measure(runner, found):
    found = wanted_engines(found)
    jit, rows, splits = jit_engine(found), [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(runner, folder):
            if runner.options.only not in name:
                continue
            row = []
            for engine in found:
                progress(f"{name} {engine.name}")
                # What is over in milliseconds needs many runs.
                first = runner.best(engine, command[0], command[1:], 1)
                more = 1 if not isinstance(first[0], float) or first[0] > 1 else \
                    runner.options.repeat if first[0] > 0.1 else 5 * runner.options.repeat
                row.append(runner.best(engine, command[0], command[1:], more))
            rows.append((name, row))
            if jit:
                splits[name] = runner.split(jit, command)
    progress("")
    return {"engines": [e.name for e in found], "rows": rows, "split": splits}


def by_engine(title, results, cell, base=None):
    """One table: a row a command, cell(row, k) for engine k, and means if they are ratios."""
    names = results["engines"]
    columns = [k for k in range(len(names)) if k != base]
    body, sums = [], {k: [] for k in columns}
    for name, row in results["rows"]:
        values = {k: cell(row, k) for k in columns}
        for k in columns:
            sums[k].append(values[k])
        body.append([name] + [show(values[k]) for k in columns])
    if base is not None:
        body.append(["geometric mean"] + [show(mean(sums[k])) for k in columns])
    table(title, [""] + [names[k] for k in columns], body)


def report(results):
    names = results["engines"]
    ms = lambda row, k: row[k][0] * 1000 if isinstance(row[k][0], float) else row[k][0]
    by_engine("CPU milliseconds", results, ms)
    by_engine("times native", results, lambda row, k: ratio(row[k][0], row[0][0]), 0)
    by_engine("peak MiB", results, lambda row, k: row[k][1] / 1024 if row[k][1] else None)
    if "qemu" in names:
        q = names.index("qemu")
        by_engine("times qemu-x86_64", results, lambda row, k: ratio(row[k][0], row[q][0]), q)
        by_engine("peak, times that of qemu-x86_64", results,
                  lambda row, k: ratio(*(float(row[n][1] or 0) for n in (k, q))), q)
    body = []
    for name, s in results["split"].items():
        if not s:
            body.append([name] + ["-"] * 6)
            continue
        rest = max(s["cpu"] - s["decode"] - s["translate"], 0)
        body.append([name, f"{s['blocks']:.0f}"] +
                    [f"{1000 * v:.1f}" for v in (s["cpu"], s["decode"], s["translate"], rest,
                                                 s["wait"])])
    if body:
        table("what the JIT's time is, in milliseconds (of one run with --stats)",
              ["", "blocks", "CPU", "decode", "translate", "the rest", "wait for the lock"], body)


def bad(results):
    return any(isinstance(cell[0], str) for _, row in results["rows"] for cell in row)
