#!/usr/bin/env python3
"""Suite guest: system software without firmware, and images that cannot be booted, in TAP.

usage: run.py --blink PATH --dir DIR [--wild N] [--seed N] [OPTION of blink]...
DIR holds the images that the assembler made; each becomes a CD, which is loaded whole. N programs of
random code run in each mode, the first with the seed.
"""

import argparse
import os
import random
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import blinktest  # noqa: E402

NOT_EXECUTABLE = 126
SHUT_DOWN = 124

# Program, what it says, and its status at the exit port.
PROGRAMS = [
    ("modes", b"aAupg4mLPr\n", 8),
    ("long", b"RPCLtttkUsfu\n", 5),
    ("tasks", b"121c1n1f\n", 6),
    ("v86", b"viocpret\n", 7),
    ("apic", b"ntttxiNchpklswmd\n", 9),
]

# Beginnings of instructions that change what the processor does, for random code.
SYSTEM = [b"\x0f\x20", b"\x0f\x22", b"\x0f\x21", b"\x0f\x23", b"\x0f\x00", b"\x0f\x01", b"\x0f\x30",
          b"\x0f\x32", b"\x0f\x05", b"\x0f\x07", b"\x0f\xa2", b"\x0f\xae", b"\x0f\xc7", b"\x8e", b"\x8c",
          b"\x9c", b"\x9d", b"\xcf", b"\xcd", b"\xca", b"\xea", b"\x9a", b"\xff", b"\xf3\xa4", b"\xf3\xab",
          b"\xec", b"\xee", b"\xe4", b"\xe6", b"\xfa", b"\xfb", b"\xf0", b"\x66", b"\x67", b"\xd9", b"\xdd",
          b"\xc5", b"\xc4", b"\x0f\x6f", b"\x0f\x7f", b"\x0f\x09", b"\x48", b"\x50", b"\x58", b"\xc3", b"\xe8"]
WILD_AT, WILD_SIZE = 0x800, 0x800

CD_SECTOR = 2048


def cd(code, emulation=0, bootable=0x88, catalogue_ok=True, torito=b"EL TORITO SPECIFICATION"):
    """A CD with volume descriptors at sector 16, a catalogue at 19 and the code at 20."""
    image = bytearray(20 * CD_SECTOR)

    def put(sector, at, data):
        image[sector * CD_SECTOR + at:sector * CD_SECTOR + at + len(data)] = data

    put(16, 0, b"\1CD001\1")
    put(17, 0, b"\0CD001\1" + torito)
    put(17, 0x47, struct.pack("<I", 19))
    put(18, 0, b"\xffCD001\1")
    entry = bytearray(32)
    entry[0], entry[30], entry[31] = 1, 0x55, 0xAA
    total = sum(struct.unpack("<16H", entry)) + (0 if catalogue_ok else 1)
    entry[28:30] = struct.pack("<H", -total & 0xFFFF)
    sectors = (len(code) + 511) // 512
    put(19, 0, bytes(entry) + struct.pack("<BBHBBHI", bootable, emulation, 0, 0, 0, sectors, 20))
    return bytes(image) + code + bytes(-len(code) % CD_SECTOR)


class Metal:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.options = options
        self.blink = [os.path.abspath(options.blink)] + flags
        self.built = os.path.abspath(options.dir)
        self.dir = tempfile.mkdtemp(prefix="blink-metal-")
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def file(self, name, data=b"", size=None):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        if size is not None:
            os.truncate(path, size)
        return path

    def image(self, name):
        with open(os.path.join(self.built, name + ".img"), "rb") as f:
            return f.read()

    def run_blink(self, *args, timeout=120):
        return blinktest.run([*self.blink, *args], env=self.env, cwd=self.dir, timeout=timeout)

    def expect(self, name, args, status, out=b"", err=b""):
        want, got = blinktest.Result(status, out, err), self.run_blink(*args)
        self.tap.case(name, want == got, "$ " + " ".join([*self.blink, *args]),
                      blinktest.explain(want, got))

    def programs(self):
        for name, says, status in PROGRAMS:
            path = self.file(name + ".iso", cd(self.image(name)))
            self.expect(name, ["-r", path], 2 * status + 1, says)
        path = self.file("probed.iso", cd(self.image("modes")))
        self.expect("an image is known by its name", [path], 17, PROGRAMS[0][1])
        self.expect("less memory", ["-r", "--memory=4M", path], 17, PROGRAMS[0][1])
        path = self.file("without.iso", cd(self.image("apic")))
        self.expect("without an APIC CPUID has none", ["-r", "--device=none", "--device=uart",
                                                       "--device=power", "--device=ioapic", path],
                    1, b"!")
        self.expect("reset and power", ["-r", self.file("reset.img", self.image("reset"))], 0,
                    b"012\n")
        path = self.file("reset.floppy", self.image("reset"), 1440 << 10)
        self.expect("a floppy is known by its signature", [path], 0, b"012\n")
        r = self.run_blink("-r", self.file("triple.iso", cd(self.image("triple"))))
        lines = r.err.decode().splitlines()
        self.tap.case("a triple fault ends with the registers",
                      r.status == SHUT_DOWN and "triple fault: exception 0x6 at " in lines[0] and
                      any("rbx 0000000012345678" in line for line in lines), r.status, r.err)

    def virtual_time(self):
        """Counted in instructions: every run is the same, as many instructions as the last."""
        for name, says, status in PROGRAMS:
            path = self.file("icount.iso", cd(self.image(name)))
            counts = set()
            for flags in ([], [], ["-j"]):
                r = self.run_blink("--clock=icount", "-Z", *flags, "-r", path)
                lines = [line for line in r.err.decode().splitlines() if "instructions:" in line]
                counts.add((r.status, r.out, lines[0].split()[2] if lines else r.err))
            self.tap.case(f"{name} with virtual time", len(counts) == 1 and
                          next(iter(counts))[:2] == (2 * status + 1, says), counts)
        self.expect("no such clock", ["--clock=sun", "-r", path], 2,
                    err=b"blink: --clock=sun: neither icount nor host\nblink: see blink --help\n")

    def wild(self, count, seed):
        """Whatever a program does to its machine, blink ends in one of its own ways; or not at all,
        as a machine whose program turns in a circle."""
        image = bytearray(self.image("wild"))
        for kind, mode in enumerate(("real", "protected", "long")):
            for n in range(seed, seed + count):
                r = random.Random(3 * n + kind)
                code = b""
                while len(code) < WILD_SIZE:
                    code += r.choice(SYSTEM) if r.random() < 0.3 else b""
                    code += r.randbytes(r.randrange(1, 6))
                image[4] = kind
                image[WILD_AT:] = code[:WILD_SIZE]
                args = ["--clock=icount", "-r", self.file("wild.iso", cd(bytes(image)))]
                got = self.run_blink(*args, timeout=2)
                self.tap.case(f"random code, {mode} mode, {n}",
                              (got.status is None or got.status in range(0, 256)) and
                              b"internal error" not in got.err,
                              f"status {got.status}", got.err[-600:])

    def refuse(self, name, path, line):
        self.expect(name, ["-r", path], NOT_EXECUTABLE, err=f"blink: {path}: {line}\n".encode())

    def refusals(self):
        sector = bytearray(self.image("reset")[:512])
        self.refuse("empty", self.file("empty"), "empty file")
        self.refuse("511 bytes", self.file("511", bytes(sector[:511])),
                    "511 bytes are no boot sector, which has 512")
        self.refuse("no signature", self.file("plain", bytes(512)),
                    "no boot sector: bytes 510 and 511 are not 55 AA")
        self.refuse("no whole sectors", self.file("odd", bytes(sector), 163840 - 7),
                    "truncated: 163833 bytes are no whole sectors")
        # The parameters of a floppy of 1440 KiB.
        sector[0:3] = b"\xeb\x3e\x90"
        sector[11:28] = struct.pack("<HBHBHHBHHH", 512, 1, 1, 2, 224, 2880, 0xF0, 9, 18, 2)
        self.refuse("a truncated floppy", self.file("short", bytes(sector), 1439 << 10),
                    "truncated: 2878 sectors of 2880")
        self.refuse("larger than any disk", self.file("huge", bytes(sector), (2 << 40) + 512),
                    "larger than a BIOS can address: 2 TiB")
        folder = os.path.join(self.dir, "folder")
        os.mkdir(folder)
        self.refuse("a directory", folder, "is a directory")
        code = b"\xf4" * 100
        self.refuse("a CD without a boot record", self.file("a.iso", cd(code, torito=b"")),
                    "this CD cannot be booted: no El Torito boot record")
        self.refuse("a CD with a bad catalogue", self.file("b.iso", cd(code, catalogue_ok=False)),
                    "this CD cannot be booted: bad El Torito catalogue")
        self.refuse("a CD that is not bootable", self.file("c.iso", cd(code, bootable=0)),
                    "this CD cannot be booted: its first entry is not bootable")
        self.refuse("a CD that emulates a disk", self.file("d.iso", cd(code, emulation=2)),
                    "this CD emulates a disk (type 2): not supported")
        missing = os.path.join(self.dir, "missing")
        self.expect("no file", ["-r", missing], 127, err=f"blink: {missing}: no such file\n".encode())
        self.expect("no such size of memory", ["--memory=4G", "-r", missing], 2,
                    err=b"blink: --memory=4G: not a number from 1M to 3G\n"
                    b"blink: see blink --help\n")

    def run(self):
        try:
            self.programs()
            self.virtual_time()
            self.wild(self.options.wild, self.options.seed)
            self.refusals()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--wild", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options, flags = parser.parse_known_args()
    return Metal(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
