#!/usr/bin/env python3
"""Suite distro: what people actually run, natively and under blink, every case in TAP.

usage: run.py --blink PATH --dir DIR [--part PART] [--mode MODE] [--only NAME] [--times]
              [OPTION of blink]...

DIR holds the programs that the build made of data/. PART is programs, stress or python; without it
all are run. MODE says what the options of blink make of it (jit, paged, interp, swap): all but the
first do less of what takes long. BLINK_DISTRO=full in the environment leaves nothing out and
shortens nothing. A case whose program is missing is skipped and says which package has it.
"""

import argparse
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import blinktest  # noqa: E402
import cases  # noqa: E402
import pytests  # noqa: E402

DATA = os.path.join(HERE, "data")


class Suite:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.options = options
        self.full = os.environ.get("BLINK_DISTRO") == "full"
        self.work = tempfile.mkdtemp(prefix="blink-distro-")
        whole = self.full or options.mode == "jit"
        self.compare = blinktest.Comparison(self.tap, [options.blink] + flags, {
            "HOME": self.work, "TMPDIR": self.work, "DATA": DATA,
            # How much of their work the programs do, in percent, or whatever they count.
            "SCALE": "100" if whole else "10", "SOAK": "10" if self.full else "1",
            "SECONDS": "2" if whole else "1",
            "REQUESTS": "1000" if options.mode == "swap" and not self.full else "10000",
            "BUILT": os.path.abspath(options.dir), "GIT_CONFIG_NOSYSTEM": "1",
            "GOCACHE": os.path.join(self.work, ".cache"), "GOFLAGS": "-p=2", "TERM": "screen"})
        self.compare.times = options.times
        if "RUSTUP_HOME" in os.environ or os.path.isdir(os.path.expanduser("~/.rustup")):
            self.compare.env["RUSTUP_HOME"] = os.environ.get(
                "RUSTUP_HOME", os.path.expanduser("~/.rustup"))

    def fresh(self):
        for entry in os.listdir(self.work):
            path = os.path.join(self.work, entry)
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)

    def which(self, program):
        return shutil.which(program, path=self.compare.env["PATH"] + ":" + os.environ["PATH"])

    def missing(self, case):
        for program, package in case.needs:
            path = os.path.join(self.options.dir, program[1:]) if program[0] == "@" \
                else self.which(program)
            if not path or not os.access(path, os.X_OK):
                return f"{program.lstrip('@')} is missing; package {package} has it"
        return case.lacks() if case.lacks else None

    def built(self, case):
        """What only the native run makes, as compilers' output, stands in a folder of its own."""
        if not case.build:
            return None
        folder = tempfile.mkdtemp(prefix="build-", dir=self.options.scratch)
        env = dict(self.compare.env, PATH=self.compare.env["PATH"] + ":" + os.environ["PATH"],
                   MADE=folder)
        result = blinktest.run(["sh", "-ec", case.build], env=env, cwd=folder, timeout=600)
        if result.status != 0:
            self.tap.case(case.name, False, "cannot be built natively:", blinktest.clip(result.err))
            return False
        return folder

    def one(self, case):
        reason = self.missing(case)
        if reason:
            self.tap.skip(case.name, reason)
            return
        folder = self.built(case)
        if folder is False:
            return
        env = {"MADE": folder or ""}
        env.update(case.env() if callable(case.env) else case.env)
        command = self.expand(case.command, env)
        command[0] = self.which(command[0]) or command[0]
        self.compare.same(case.name, command, stdin=case.stdin.encode(), env=env, cwd=self.work,
                          timeout=case.timeout, before=self.fresh, adjust=case.adjust)

    def expand(self, words, env):
        known = dict(self.compare.env, **env)
        for name in ("DATA", "BUILT", "MADE", "SCALE", "SOAK", "SECONDS"):
            words = [w.replace("${" + name + "}", known[name]) for w in words]
        return words

    def wanted(self, case):
        return self.options.part in ("", case.part) and self.options.only in case.name and (
            self.full or not case.full and self.options.mode in ("jit",) + case.also)

    def run(self):
        self.options.scratch = tempfile.mkdtemp(prefix="blink-distro-made-")
        try:
            for case in cases.CASES:
                if self.wanted(case):
                    self.one(case)
            if self.options.part in ("", "python"):
                pytests.run(self)
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
            shutil.rmtree(self.options.scratch, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--part", default="", choices=["", "programs", "stress", "python"])
    parser.add_argument("--mode", default="jit", choices=["jit", "paged", "interp", "swap"])
    parser.add_argument("--only", default="")
    parser.add_argument("--times", action="store_true")
    options, flags = parser.parse_known_args()
    options.dir = os.path.abspath(options.dir)
    return Suite(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
