#!/usr/bin/env python3
"""Suite guest: raw code in files named *.bin, and such files that are none, in TAP.

usage: run.py --blink PATH --dir DIR [OPTION of blink]...
DIR holds exit.bin, room.bin and serial.bin. There is no oracle: the host runs no such files.
"""

import argparse
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import blinktest  # noqa: E402

NOT_EXECUTABLE = 126


class Flat:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.blink = [os.path.abspath(options.blink)] + flags
        self.built = os.path.abspath(options.dir)
        self.dir = tempfile.mkdtemp(prefix="blink-flat-")
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def expect(self, name, command, status, out=b"", err=""):
        r = blinktest.run(self.blink + command, env=self.env, cwd=self.dir, timeout=60)
        want = blinktest.Result(status, out, err.encode())
        self.tap.case(name, want == r, "$ " + " ".join(self.blink + command),
                      blinktest.explain(want, r))

    def file(self, name, data):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def programs(self):
        exit_bin, room = (os.path.join(self.built, n) for n in ("exit.bin", "room.bin"))
        with open(exit_bin, "rb") as f:
            code = f.read()
        self.tap.case("the program has ten bytes", len(code) == 10, code.hex())
        self.expect("ten bytes", [exit_bin], 42)
        self.expect("no right to execute is needed", [self.file("plain.bin", code)], 42)
        self.expect("room, stack and arguments", [room, "first", "second", "third"], 3, b"first")
        # Only the name says that it is code.
        other = self.file("code.com", code)
        os.chmod(other, 0o755)
        serial = [*self.blink, "--device=uart", os.path.join(self.built, "serial.bin")]
        r = blinktest.run(serial, b"Serial Port.", env=self.env, timeout=60)
        self.tap.case("a serial port", r == blinktest.Result(7, b"sERIAL\0pORT", b""), r.status, r.out,
                      r.err)
        self.expect("another name", [other], NOT_EXECUTABLE,
                    err=f"blink: {other}: no loader knows this format\n")
        r = blinktest.run(self.blink + [self.file("fault.bin", b"\x0f\x0b")], env=self.env)
        self.tap.case("an invalid instruction ends by SIGILL", r.status == -4, r.status, r.err)
        # Runs from the last byte of the code on into zeros: add %al, (%rax), with RAX 0.
        r = blinktest.run(self.blink + [self.file("nop.bin", b"\x31\xc0")], env=self.env)
        self.tap.case("running off the end ends by SIGSEGV", r.status == -11, r.status, r.err)

    def better_formats(self):
        """A format that says what it is wins over the name."""
        script = self.file("script.bin", b"#!/nonexistent/shell\n")
        os.chmod(script, 0o755)
        self.expect("a script", [script], 127, err="blink: /nonexistent/shell: no such file\n")
        elf = self.file("elf.bin", b"\x7fELF\2\1\1")
        os.chmod(elf, 0o755)
        self.expect("an ELF file", [elf], NOT_EXECUTABLE,
                    err=f"blink: {elf}: truncated: 7 bytes, the ELF header has 64\n")

    def refusals(self):
        empty = self.file("empty.bin", b"")
        self.expect("empty", [empty], NOT_EXECUTABLE, err=f"blink: {empty}: empty file\n")
        large = self.file("large.bin", b"")
        os.truncate(large, (64 << 20) + 1)
        self.expect("too large", [large], NOT_EXECUTABLE,
                    err=f"blink: {large}: too large: flat code has at most 64 MiB\n")
        folder = os.path.join(self.dir, "folder.bin")
        os.mkdir(folder)
        self.expect("a directory", [folder], NOT_EXECUTABLE, err=f"blink: {folder}: is a directory\n")

    def run(self):
        try:
            self.programs()
            self.better_formats()
            self.refusals()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    options, flags = parser.parse_known_args()
    return Flat(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
