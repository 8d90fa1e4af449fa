#!/usr/bin/env python3
"""Suite guest: Actually Portable Executables, and files that only begin like them, in TAP.

usage: run.py --blink PATH --dir DIR --program FILE [OPTION of blink]...
DIR holds programs as NAME.ape, which the host's shell runs for comparison. FILE is a small static
ELF program that exits with status 42; what is spoiled is made of it.
"""

import argparse
import os
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import blinktest  # noqa: E402
import make  # noqa: E402

NOT_EXECUTABLE = 126
HELLO = b"hello without a library\n"


class Ape:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.blink = [os.path.abspath(options.blink)] + flags
        self.built = os.path.abspath(options.dir)
        self.dir = tempfile.mkdtemp(prefix="blink-ape-")
        with open(options.program, "rb") as f:
            self.elf = f.read()
        self.header = make.header_of(self.elf)
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def file(self, data, mode=0o755):
        path = os.path.join(self.dir, "file")
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def expect(self, name, data, status, out=b"", reason="", mode=0o755):
        path = self.file(data, mode)
        r = blinktest.run(self.blink + [path], env=self.env, cwd=self.dir, timeout=60)
        err = f"blink: {path}: {reason}\n" if reason else ""
        want = blinktest.Result(status, out, err.encode())
        self.tap.case(name, want == r, "$ " + " ".join(self.blink + [path]),
                      blinktest.explain(want, r))

    def runs(self, name, data):
        self.expect(name, data, 42, HELLO)

    def refused(self, name, data, reason, mode=0o755):
        self.expect(name, data, NOT_EXECUTABLE, reason=reason, mode=mode)

    def spoiled(self, name, reason, statements):
        data = make.ape(self.elf, statements=statements)
        at = data.index(b"printf '" + statements[0][8:24])
        self.refused(name, data, f"ELF header in its script at byte {at}: {reason}" if reason else
                     "no ELF header is embedded in its first 8192 bytes")

    # ---- programs, as the host's shell runs them ----

    def programs(self):
        oracle = blinktest.oracle()
        for name in sorted(os.listdir(self.built)):
            if not name.endswith(".ape"):
                continue
            if oracle != []:
                self.tap.skip(name, "the host runs no x86-64 programs")
                continue
            path = os.path.join(self.built, name)
            arguments = ["one", "two words"] if name.startswith("granule") else []
            want, got = (blinktest.run(prefix + [path] + arguments, env=self.env, cwd=self.dir,
                                       timeout=300) for prefix in (["/bin/sh"], self.blink))
            self.tap.case(name, want == got and want.status is not None,
                          blinktest.explain(want, got))

    def executed(self):
        """By a shell that runs under blink: the loader's choice, not the shell's."""
        busybox = shutil.which("busybox")
        if not busybox:
            self.tap.skip("executed by a guest", "no busybox here")
            return
        path = self.file(make.ape(self.elf))
        r = blinktest.run(self.blink + [busybox, "sh", "-c", f"{path}; echo $?"], env=self.env,
                          timeout=60)
        self.tap.case("executed by a guest", r == blinktest.Result(0, HELLO + b"42\n", b""), r.out,
                      r.err)

    # ---- what the specification allows ----

    def forms(self):
        for magic in make.MAGICS:
            self.runs("magic " + magic.decode(), make.ape(self.elf, magic=magic))
        good = make.statement(self.header)
        self.runs("one header", make.ape(self.elf, statements=[good]))
        escapes = "".join(f"\\{b:03o}" for b in self.header).encode()
        self.runs("every byte escaped", make.ape(self.elf, statements=[b"printf '" + escapes + b"'\n"]))
        # The first that parses: those before it are for others, cut short, or not well-formed.
        other = make.foreign(self.header)
        broken = bytearray(self.header)
        struct.pack_into("<H", broken, 56, 0)
        self.runs("after other headers", make.ape(self.elf, statements=[
            b"printf '\\n%s'\n", b"printf '\\177EL'\n", b"printf '\\177ELF\\2'\n",
            make.statement(other), make.statement(bytes(broken)), good, make.statement(other)]))
        # Its last byte is the last that counts.
        full = make.ape(self.elf, statements=[good])
        start = full.index(good)
        end = start + len(b"printf '" + make.octal(self.header))

        def shifted(count):
            return full[:start] + b"\n" * count + full[start:make.START - count] + full[make.START:]

        self.runs("at the end of 8192 bytes", shifted(8192 - end))
        at = start + 8193 - end
        self.refused("beyond 8192 bytes", shifted(8193 - end),
                     f"ELF header in its script at byte {at}: truncated: the first 8192 bytes end "
                     "after 63 of its 64 bytes")

    def bare_metal(self):
        """The same file from its boot sector: 4D 5A 71 46 70 44 is a jump to offset 4A."""
        code = bytes.fromhex("be5e7c fc ac 3c01 7404 e6e9 ebf7 b014 e6f4 f4 ebfd")
        sector = bytes(0x4A - 9).replace(b"\0", b" ") + code + b"bare metal\n\1"
        sector = sector.ljust(510 - 9, b" ") + b"\x55\xaa"
        self.runs("with a boot sector", make.ape(self.elf, binary=sector))
        path = self.file(make.ape(self.elf, binary=sector))
        r = blinktest.run(self.blink + ["-r", path], env=self.env, cwd=self.dir, timeout=60)
        # 2 n + 1 for the n of port 0xF4.
        self.tap.case("booted from its boot sector", r == blinktest.Result(41, b"bare metal\n", b""),
                      r.status, r.out, r.err)

    # ---- what it does not allow ----

    def statements(self):
        def header(offset, letter, value):
            data = bytearray(self.header)
            struct.pack_into("<" + letter, data, offset, value)
            return [make.statement(bytes(data))]

        good = make.statement(self.header)
        self.spoiled("no header", "", [b"printf 'nothing'\n"])
        self.spoiled("short header", "has 63 bytes, not 64", [make.statement(self.header[:63])])
        self.spoiled("escape of a letter", "byte 4 of it is no octal escape of a byte",
                     [b"printf '\\177ELF\\n" + good[14:]])
        self.spoiled("escape above a byte", "byte 4 of it is no octal escape of a byte",
                     [b"printf '\\177ELF\\402" + good[14:]])
        self.spoiled("raw byte", "byte 4 of it is not ASCII", [b"printf '\\177ELF\x82" + good[14:]])
        self.spoiled("32-bit class", "32-bit ELF file; only 64-bit programs run here",
                     header(4, "B", 1))
        self.spoiled("unknown class", "unknown ELF class 7", header(4, "B", 7))
        self.spoiled("big-endian", "big-endian ELF file; x86-64 is little-endian", header(5, "B", 2))
        self.spoiled("unknown byte order", "unknown ELF byte order 9", header(5, "B", 9))
        for machine, name in ((183, "AArch64"), (3, "i386"), (999, "another machine")):
            self.spoiled(f"machine {machine}", f"program for {name} (ELF machine {machine}), not for "
                         "x86-64", header(18, "H", machine))
        self.spoiled("position-independent",
                     "position-independent (ET_DYN); APE programs have fixed addresses",
                     header(16, "H", 3))
        self.spoiled("object file", "object file, not a program", header(16, "H", 1))
        self.spoiled("core dump", "core dump, not a program", header(16, "H", 4))
        self.spoiled("unknown type", "ELF type 77 is not that of a program", header(16, "H", 77))
        self.spoiled("no program headers", "no program headers", header(56, "H", 0))
        self.spoiled("size of program headers", "program headers of 32 bytes each, not 56",
                     header(54, "H", 32))
        self.spoiled("too many program headers", "65535 program headers, more than 1170",
                     header(56, "H", 65535))
        for phoff in (0xfffffffffffffff0, 1 << 40):
            self.spoiled(f"program headers at {phoff:#x}", "truncated: program headers at "
                         f"{phoff:#x} lie beyond the end", header(32, "Q", phoff))
        # Of several reasons the one about a program for this machine is told.
        data = bytearray(self.header)
        struct.pack_into("<H", data, 56, 0)
        whole = make.ape(self.elf, statements=[make.statement(make.foreign(self.header)),
                                               make.statement(bytes(data))])
        at = whole.index(make.statement(bytes(data)))
        self.refused("the nearest reason", whole,
                     f"ELF header in its script at byte {at}: no program headers")

    def files(self):
        whole = make.ape(self.elf)
        self.refused("no right to execute", whole, "not executable; chmod +x it", mode=0o644)
        self.refused("magic only", whole[:8], "no ELF header is embedded in its first 8192 bytes")
        self.refused("magic cut short", whole[:7], "no loader knows this format")
        single = make.ape(self.elf, statements=[make.statement(self.header)])
        at = single.index(make.statement(self.header))
        self.refused("script cut short", single[:at + 40], f"ELF header in its script at byte {at}: "
                     "truncated: the file ends after 16 of its 64 bytes")
        at = whole.index(make.statement(self.header))
        self.refused("no ELF part", whole[:make.START], f"ELF header in its script at byte {at}: "
                     f"truncated: program headers at {make.START + 64:#x} lie beyond the end")

    def run(self):
        try:
            self.programs()
            self.executed()
            self.forms()
            self.bare_metal()
            self.statements()
            self.files()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--program", required=True)
    options, flags = parser.parse_known_args()
    return Ape(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
