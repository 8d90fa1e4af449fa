#!/usr/bin/env python3
"""Suite programs: files that are no programs and command lines that make no sense, in TAP.

usage: bad.py --blink PATH --program FILE [OPTION of blink]...
FILE is a small static program that exits with status 42. Each bad file gives one exact line on
standard error, nothing on standard output, and the status a shell would give.
"""

import argparse
import json
import os
import re
import shutil
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import blinktest  # noqa: E402

NOT_FOUND, NOT_EXECUTABLE, FAILED, USAGE = 127, 126, 125, 2

# Offsets in the 64-bit ELF header and in a program header, with struct's format letters.
E = {"class": (4, "B"), "data": (5, "B"), "type": (16, "H"), "machine": (18, "H"),
     "phoff": (32, "Q"), "phentsize": (54, "H"), "phnum": (56, "H")}
P = {"type": (0, "I"), "flags": (4, "I"), "offset": (8, "Q"), "vaddr": (16, "Q"),
     "filesz": (32, "Q"), "memsz": (40, "Q"), "align": (48, "Q")}
PT_NULL, PT_LOAD, PT_INTERP = 0, 1, 3


class Elf:
    """A copy of an ELF file, to be spoiled."""

    def __init__(self, data):
        self.data = bytearray(data)

    def get(self, field):
        offset, letter = E[field]
        return struct.unpack_from("<" + letter, self.data, offset)[0]

    def set(self, **fields):
        for field, value in fields.items():
            struct.pack_into("<" + E[field][1], self.data, E[field][0], value)
        return self

    def ph(self, number, field):
        offset, letter = P[field]
        return struct.unpack_from("<" + letter, self.data, self.get("phoff") + 56 * number + offset)[0]

    def set_ph(self, number, **fields):
        base = self.get("phoff") + 56 * number
        for field, value in fields.items():
            struct.pack_into("<" + P[field][1], self.data, base + P[field][0], value)
        return self

    def loads(self):
        return [n for n in range(self.get("phnum")) if self.ph(n, "type") == PT_LOAD]


class Bad:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.blink = [os.path.abspath(options.blink)] + flags
        self.dir = tempfile.mkdtemp(prefix="blink-bad-")
        with open(options.program, "rb") as f:
            self.good = f.read()
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    # ---- how a case is judged ----

    def expect(self, name, command, status, err, out=b""):
        r = blinktest.run(self.blink + command, env=self.env, cwd=self.dir, timeout=60)
        want = blinktest.Result(status, out, err.encode())
        self.tap.case(name, want == r, "$ " + " ".join(self.blink + command),
                      blinktest.explain(want, r))

    def file(self, data, mode=0o755):
        path = os.path.join(self.dir, "file")
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def refused(self, name, data, reason, status=NOT_EXECUTABLE):
        path = self.file(bytes(data))
        self.expect(name, [path], status, f"blink: {path}: {reason}\n")

    def elf(self):
        return Elf(self.good)

    # ---- files ----

    def not_programs(self):
        missing = os.path.join(self.dir, "missing")
        self.expect("missing file", [missing], NOT_FOUND, f"blink: {missing}: no such file\n")
        self.expect("name that PATH has not", ["no-such-program"], NOT_FOUND,
                    "blink: no-such-program: not found in PATH\n")
        self.expect("directory", [self.dir], NOT_EXECUTABLE, f"blink: {self.dir}: is a directory\n")
        self.expect("device", ["/dev/null"], NOT_EXECUTABLE,
                    "blink: /dev/null: not a regular file that can be read\n")
        path = self.file(self.good, 0o644)
        self.expect("no right to execute", [path], NOT_EXECUTABLE,
                    f"blink: {path}: not executable; chmod +x it\n")
        self.refused("empty file", b"", "empty file")
        self.refused("text", b"some text\n", "no loader knows this format")
        self.refused("script without interpreter", b"#!\n", "no loader knows this format")
        path = self.file(b"#!/nonexistent/shell -x\n")
        self.expect("script with a missing interpreter", [path], NOT_FOUND,
                    "blink: /nonexistent/shell: no such file\n")
        if os.geteuid() == 0:
            self.tap.skip("unreadable file", "the superuser reads everything")
        else:
            path = self.file(self.good, 0o311)
            self.expect("unreadable file", [path], NOT_EXECUTABLE,
                        f"blink: {path}: not a regular file that can be read\n")

    def truncated_line(self, size):
        """What the loader says of the first `size` bytes; None where they are enough."""
        elf = self.elf()
        if size == 0:
            return "empty file"
        if size < 64:
            return f"truncated: {size} bytes, the ELF header has 64"
        phoff = elf.get("phoff")
        if size < phoff + 56 * elf.get("phnum"):
            return f"truncated: program headers at {phoff:#x} lie beyond the end"
        for n in elf.loads():
            offset, length = elf.ph(n, "offset"), elf.ph(n, "filesz")
            if offset + length > size:
                return f"truncated: segment {n} has {length:#x} bytes at {offset:#x}, beyond the end"
        return None

    def truncated(self):
        elf = self.elf()
        edges = [0, 1, 2, 3, 4, 5, 16, 17, 63, 64, 65]
        for n in range(elf.get("phnum") + 1):
            edges.append(elf.get("phoff") + 56 * n)
        for n in elf.loads():
            edges += [elf.ph(n, "offset"), elf.ph(n, "offset") + elf.ph(n, "filesz")]
        sizes = sorted({e + d for e in edges for d in (-1, 0, 1)} | set(range(0, len(self.good), 997)))
        for size in sizes:
            if not 0 <= size <= len(self.good):
                continue
            line = self.truncated_line(size)
            if line:
                self.refused(f"truncated to {size} bytes", self.good[:size], line)
            else:
                self.expect(f"whole enough with {size} bytes", [self.file(self.good[:size])], 42, "",
                            b"hello without a library\n")

    def headers(self):
        self.refused("32-bit class", self.elf().set(**{"class": 1}).data,
                     "32-bit ELF file; only 64-bit programs run here")
        self.refused("unknown class", self.elf().set(**{"class": 7}).data, "unknown ELF class 7")
        self.refused("big-endian", self.elf().set(data=2).data,
                     "big-endian ELF file; x86-64 is little-endian")
        self.refused("unknown byte order", self.elf().set(data=9).data, "unknown ELF byte order 9")
        for machine, name in ((183, "AArch64"), (3, "i386"), (243, "RISC-V"), (999, "another machine")):
            self.refused(f"machine {machine}", self.elf().set(machine=machine).data,
                         f"program for {name} (ELF machine {machine}), not for x86-64")
        self.refused("object file", self.elf().set(type=1).data,
                     "object file, not a program; link it first")
        self.refused("core dump", self.elf().set(type=4).data, "core dump, not a program")
        self.refused("unknown type", self.elf().set(type=77).data,
                     "ELF type 77 is not that of a program")
        self.refused("no program headers", self.elf().set(phnum=0).data, "no program headers")
        self.refused("size of program headers", self.elf().set(phentsize=32).data,
                     "program headers of 32 bytes each, not 56")
        self.refused("too many program headers", self.elf().set(phnum=65535).data,
                     "65535 program headers, more than 1170")
        for phoff in (0xfffffffffffffff0, 0x7fffffffffffffff, 1 << 40):
            self.refused(f"program headers at {phoff:#x}", self.elf().set(phoff=phoff).data,
                         f"truncated: program headers at {phoff:#x} lie beyond the end")

    def segments(self):
        elf = self.elf()
        loads = elf.loads()
        first, last = loads[0], loads[-1]
        for n in loads:
            elf.set_ph(n, type=PT_NULL)
        self.refused("no segment to load", elf.data, "no segment to load")
        elf = self.elf()
        for n in loads:
            elf.set_ph(n, memsz=0, filesz=0)
        self.refused("only empty segments", elf.data, "no segment to load")
        filesz = self.elf().ph(first, "filesz")
        self.refused("more in the file than in memory", self.elf().set_ph(first, memsz=16).data,
                     f"segment {first}: {filesz:#x} bytes in the file, but 0x10 in memory")
        for vaddr, memsz in ((0x7fffffffe000, 0x100000), (0xffffffff80000000, 0x1000),
                             (0x400000, 0xffffffffffff0000)):
            self.refused(f"segment of {memsz:#x} bytes at {vaddr:#x}",
                         self.elf().set_ph(last, vaddr=vaddr, memsz=memsz, filesz=0).data,
                         f"segment {last}: {memsz:#x} bytes at {vaddr:#x} reach beyond user space")
        vaddr = self.elf().ph(first, "vaddr")
        self.refused("overlapping segments",
                     self.elf().set_ph(last, vaddr=vaddr + 8, memsz=64, filesz=0).data,
                     f"segments {first} and {last} overlap")
        size, offset = self.elf().ph(last, "filesz"), 0x7ffffffffffffff0
        self.refused("segment far beyond the end", self.elf().set_ph(last, offset=offset).data,
                     f"truncated: segment {last} has {size:#x} bytes at {offset:#x}, beyond the end")

    def interpreters(self):
        def with_interpreter(text, size=None):
            elf = self.elf()
            spare = next(n for n in range(elf.get("phnum")) if elf.ph(n, "type") != PT_LOAD)
            elf.set_ph(spare, type=PT_INTERP, offset=len(elf.data),
                       filesz=len(text) if size is None else size)
            return elf.data + text

        self.refused("interpreter that is not there", with_interpreter(b"/no/ld.so\0"),
                     "interpreter /no/ld.so: No such file or directory; install it, or name its tree "
                     "with --root")
        self.refused("interpreter without a name", with_interpreter(b"\0\0"),
                     "interpreter path (PT_INTERP) is empty")
        self.refused("interpreter without a NUL", with_interpreter(b"/lib/ld.so"),
                     "interpreter path (PT_INTERP) does not end with a NUL")
        self.refused("interpreter cut short", with_interpreter(b"/lib/ld.so\0", 99),
                     "truncated: the file ends inside its interpreter path")
        self.refused("long interpreter", with_interpreter(b"/" * 4000 + b"\0"),
                     "interpreter path (PT_INTERP) is longer than 255 bytes")
        self.refused("directory as interpreter", with_interpreter(b"/etc\0"),
                     "interpreter /etc: Is a directory")

    # ---- command line ----

    def usage(self):
        self.expect("no program", [], USAGE, "blink: no program given; see blink --help\n")
        for option in ("--nonsense", "-Q", "--plugin"):
            r = blinktest.run(self.blink + [option], env=self.env)
            good = r.status == USAGE and r.err.endswith(b"blink: see blink --help\n") and not r.out
            self.tap.case(f"bad option {option}", good, blinktest.describe_status(r.status), r.err)
        self.expect("-0 without a name", ["-0", "/bin/true"], USAGE,
                    "blink: -0 needs PROGRAM and its argv[0]\n")
        self.expect("unknown format", ["--list-plugins=xml"], USAGE,
                    "blink: --list-plugins=xml: the only other format is json\n"
                    "blink: see blink --help\n")
        log = os.path.join(self.dir, "no", "log")
        self.expect("log that cannot be opened", ["-L", log, "/bin/true"], FAILED,
                    f"blink: {log}: cannot open the log: No such file or directory\n")
        program = self.file(self.good)
        missing = os.path.join(self.dir, "plugin.so")
        self.expect("plugin that is not there", ["--plugin", missing, program], FAILED,
                    f"blink: {missing}: No such file or directory; check the path\n")
        for option in ("--help", "-h"):
            r = blinktest.run(self.blink + [option], env=self.env)
            self.tap.case(f"{option} explains each option", r.status == 0 and not r.err and all(
                word in r.out for word in (b"Usage: blink", b"--plugin-dir", b"--list-plugins",
                                           b"-j, --no-jit", b"-Z, --stats")), r.out)
        with open(os.path.join(HERE, "..", "..", "docs", "blink.1"), encoding="utf-8") as page:
            manual = page.read().replace("\\-", "-")
        options = re.findall(rb"(?m)^  (?:-\w, |    )(--[\w-]+)", r.out)
        missing = [o.decode() for o in options if o.decode() not in manual]
        self.tap.case("the manual page names each option", len(options) > 15 and not missing,
                      f"not there: {', '.join(missing)}", options)
        r = blinktest.run(self.blink + ["--version"], env=self.env)
        self.tap.case("--version", r.status == 0 and r.out.startswith(b"blink "), r.out)

    def listing(self):
        r = blinktest.run(self.blink + ["--list-plugins"], env=self.env)
        rows = [line.split() for line in r.out.decode().splitlines()]
        self.tap.case("--list-plugins", r.status == 0 and rows and
                      rows[0] == ["KIND", "NAME", "VERSION", "ABI", "PATH", "STATUS"] and
                      any(row[:2] == ["loader", "elf"] and row[-1] == "ok" for row in rows), r.out, r.err)
        r = blinktest.run(self.blink + ["--list-plugins=json"], env=self.env)
        try:
            rows = json.loads(r.out)
        except ValueError as error:
            rows = []
            r.err += str(error).encode()
        names = {(row["kind"], row["name"]) for row in rows}
        want = {("decoder", "capstone"), ("loader", "elf"), ("abi", "linux")}
        self.tap.case("--list-plugins=json", r.status == 0 and want <= names, r.out, r.err)

    def good_lines(self):
        program = self.file(self.good)
        hello = b"hello without a library\n"
        self.expect("options end at the program", [program], 42, "", hello)
        self.expect("options end at --", ["--", program], 42, "", hello)
        self.expect("-j", ["-j", program], 42, "", hello)
        r = blinktest.run(self.blink + ["-v", program], env=self.env)
        self.tap.case("-v names the plugins", r.status == 42 and all(
            word in r.err for word in (b"elf", b"linux", b"capstone")), r.err)
        r = blinktest.run(self.blink + ["-Z", program], env=self.env)
        self.tap.case("-Z prints statistics", r.status == 42 and b"instructions" in r.err, r.err)
        r = blinktest.run(self.blink + ["-s", program], env=self.env)
        self.tap.case("-s traces", r.status == 42 and r.out == hello and
                      b'write(1, "hello without a library\\n", 24) = 24\n' in r.err and
                      b"exit_group(42)" in r.err, r.err)
        log = os.path.join(self.dir, "log")
        r = blinktest.run(self.blink + ["-s", "-L", log, program], env=self.env)
        with open(log, "rb") as f:
            text = f.read()
        self.tap.case("-L takes the trace", r.status == 42 and not r.err and b"exit_group(42)" in text,
                      r.err, text)
        own = ["/bin/ls", "/proc/self/fd"]
        r, native = blinktest.run(self.blink + ["-L", log] + own, env=self.env), blinktest.run(own)
        self.tap.case("-L is no descriptor of the guest's", r.out == native.out, r.out, native.out)

    def run(self):
        try:
            self.not_programs()
            self.truncated()
            self.headers()
            self.segments()
            self.interpreters()
            self.usage()
            self.listing()
            self.good_lines()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--program", required=True)
    options, flags = parser.parse_known_args()
    return Bad(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
