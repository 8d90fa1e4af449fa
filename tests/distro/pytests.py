"""Python's own tests: what passes natively must pass under blink.

Some of them time themselves, and a loaded machine makes one fail now and then, natively too: those
that passed natively only are tried again, alone, a few times.
"""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import blinktest

# Debian's, and where its package leaves a test out another that has it.
PYTHONS = ["/usr/bin/python3", shutil.which("python3")]
MODULES = ["test_json", "test_struct", "test_re", "test_mmap", "test_sqlite3", "test_socket",
           "test_threading", "test_signal", "test_subprocess"]
# Those of them that the slower modes run, too.
ALSO = {"paged": ["test_json", "test_struct", "test_re", "test_mmap"],
        "interp": ["test_struct", "test_mmap"],
        "swap": ["test_threading"]}
# A virtual machine may have such sockets and nobody who answers: they wait for ever, natively too.
IGNORED = ["*VSOCK*"]
# Left out unless everything is asked for: half a minute of sleep, with two others like it; a class
# that runs the tests of another again, with select in place of poll.
LONG = ["test_siginterrupt_off", "*ProcessTestCaseNoPoll*"]
TRIES = 4
TIMEOUT = 900
OUTCOME = re.compile(r"^(test\w*) \(([\w.]+)\).*?\.\.\. (?:.*?)(ok|FAIL|ERROR|skipped|expected failure)",
                     re.MULTILINE | re.DOTALL)


def outcomes(result):
    """Test -> its outcome, of the verbose output."""
    text = (result.out + result.err).decode("utf-8", "replace")
    found = {}
    for piece in re.split(r"^(?=test\w* \()", text, flags=re.MULTILINE):
        match = OUTCOME.match(piece)
        if match:
            found[f"{match.group(2)} {match.group(1)}"] = match.group(3)
    return found


def start_tests(suite, prefix, python, words):
    command = prefix + [python, "-m", "test", "-v"]
    for pattern in IGNORED + ([] if suite.full else LONG):
        command += ["-i", pattern]
    return blinktest.start(command + words, suite.compare.env, suite.work)


def again(suite, python, bad, name):
    words = [w for t in bad for w in ("-m", t.split()[-1])] + [name]
    child = start_tests(suite, suite.compare.blink, python, words)
    return outcomes(blinktest.finish(child, timeout=TIMEOUT))


def having(suite, name):
    """The first Python that has a test, or None."""
    for python in PYTHONS:
        if python and os.access(python, os.X_OK):
            probe = [python, "-c", f"import test.{name}"]
            if blinktest.run(probe, env=suite.compare.env).status == 0:
                return python
    return None


def module(suite, name):
    label = f"python3 -m test {name}"
    python = having(suite, name)
    if suite.compare.oracle is None:
        suite.tap.skip(label, "nothing here runs x86-64 programs to compare with")
        return
    if not python:
        suite.tap.skip(label, "the package of Python's tests leaves it out" if having(suite, "test_json")
                       else "Python's tests are missing; package libpython3.11-testsuite has them")
        return
    suite.fresh()
    # They sleep more than they work: at the same time.
    children = [start_tests(suite, prefix, python, [name])
                for prefix in (suite.compare.oracle, suite.compare.blink)]
    with ThreadPoolExecutor(2) as pool:
        native, done = pool.map(lambda child: blinktest.finish(child, timeout=TIMEOUT), children)
    want = outcomes(native)
    got = outcomes(done)
    bad = [t for t in want if want[t] in ("ok", "skipped") and got.get(t) != want[t]]
    for _ in range(TRIES):
        if bad and len(bad) <= 10:
            second = again(suite, python, bad, name)
            bad = [t for t in bad if second.get(t) != want[t]]
    details = [f"{t}: natively {want[t]}, here {got.get(t, 'nothing')}" for t in bad]
    if not want:
        details = ["no outcome could be read of the native run"]
    suite.tap.case(label, bool(want) and not bad and done.status is not None, *details,
                   blinktest.describe_status(done.status),
                   blinktest.clip(done.out[-3000:], 3000) if details else "")


def run(suite):
    for name in MODULES if suite.full else ALSO.get(suite.options.mode, MODULES):
        if suite.options.only in f"python3 -m test {name}":
            module(suite, name)
