#!/usr/bin/env python3
"""Suite guest: programs that live on the BIOS, in TAP.

usage: run.py --blink PATH --dir DIR --build DIR --source DIR --meson MESON [OPTION of blink]...
DIR holds the images that the compiler made.
"""

import argparse
import os
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import blinktest  # noqa: E402

FLOPPY = 1440 << 10
HARD_SECTORS = 20160
OK = 1  # twice the 0 that is written to port 0xF4, and one

KEYS = b"abcdefghijklmnopqrstuvwxyz\nQ\033[A"

FORTH = [
    (": square dup * ;", "ok"),
    ("7 square . 3 4 + .", "49 7 ok"),
    (": star 42 emit ;", "ok"),
    (": stars begin star 1 - dup 0= until drop ;", "ok"),
    ("5 stars", "*****ok"),
    (": pos if 89 emit then 33 emit ;", "ok"),
    ("1 pos 0 pos", "Y!!ok"),
    ("99 1280 ! 1280 @ . 10 3 - . 1 2 swap . .", "99 7 1 2 ok"),
    ("unknown", "?"),
    ("2 3 * .", "6 ok"),
]


def png(path):
    """Width, height and rows of a PNG file of eight bits a colour, without interlacing."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, head = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", data[at + 8:at + 8 + size])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    width, height, stride = head[0], head[1], head[0] * 3
    raw, rows, before = zlib.decompress(packed), [], bytes(stride)
    for y in range(height):
        line = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        unfilter(raw[y * (stride + 1)], line, before)
        rows.append(bytes(line))
        before = line
    return width, height, rows


def unfilter(how, line, up):
    for k in range(len(line)):
        left, above = line[k - 3] if k >= 3 else 0, up[k]
        corner = up[k - 3] if k >= 3 else 0
        near = min((abs(above - corner), 0, left), (abs(left - corner), 1, above),
                   (abs(left + above - 2 * corner), 2, corner))[2]
        line[k] = (line[k] + (0, left, above, (left + above) // 2, near)[how]) & 255


class Realmode:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.options, self.flags = options, flags
        self.blink = [os.path.abspath(options.blink)] + flags
        self.dir = tempfile.mkdtemp(prefix="blink-realmode-")
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def image(self, name, size=None):
        path = os.path.join(self.dir, name + ".img")
        shutil.copy(os.path.join(self.options.dir, name + ".img"), path)
        if size:
            os.truncate(path, size)
        return path

    def hard_disk(self):
        path = os.path.join(self.dir, "hard.img")
        with open(path, "wb") as f:
            for k in range(HARD_SECTORS):
                f.write(struct.pack("<I", k) + bytes(508))
        return path

    def sectors(self, path, first, count):
        with open(path, "rb") as f:
            f.seek(first * 512)
            return [f.read(512)[:2] for _ in range(count)]

    def run_blink(self, *args, stdin=b""):
        return blinktest.run([*self.blink, *args], stdin=stdin, env=self.env, cwd=self.dir,
                             timeout=240)

    def expect(self, name, args, out, status=OK, stdin=b""):
        want, got = blinktest.Result(status, out, b""), self.run_blink(*args, stdin=stdin)
        self.tap.case(name, want == got, "$ " + " ".join([*self.blink, *args]),
                      blinktest.explain(want, got))

    def services(self):
        shot = os.path.join(self.dir, "last.txt")
        self.expect("every service", ["--memory=16M", "--display=text", "--screenshot=" + shot, "-r",
                                      self.image("services")], b"S\nservices ok\n", stdin=KEYS)
        with open(shot, "rb") as f:
            self.tap.case("a screenshot as text", f.read() == b"")
        self.expect("a serial port by interrupts", ["-r", self.image("echo")],
                    b"HELLO, SERIAL WORLD.\necho ok\n", stdin=b"Hello, serial world.")

    def disks(self):
        floppy, hard = self.image("disk", FLOPPY), self.hard_disk()
        before = self.sectors(hard, 63, 4)
        self.expect("disks", ["--disk=" + hard, "-r", floppy], b"disk ok\n")
        self.tap.case("nothing is written to images", self.sectors(hard, 63, 4) == before and
                      self.sectors(floppy, 2878, 2) == [b"\0\0", b"\0\0"])
        self.expect("disks that are written",
                    ["--device=disk," + floppy + ",rw", "--device=disk," + hard + ",rw", "-r",
                     floppy], b"disk ok\n")
        self.tap.case("and what is in them then",
                      self.sectors(hard, 63, 4) == [b"\xa1" * 2, b"\xa2" * 2] + [b"\xa3" * 2] * 2 and
                      self.sectors(floppy, 2878, 2) == [b"\x5a" * 2] * 2,
                      self.sectors(hard, 63, 4), self.sectors(floppy, 2878, 2))
        r = self.run_blink("--disk=" + hard + ",ro", "-r", floppy)
        self.tap.case("a disk that cannot be written", r.status == 3 and
                      b"written by cylinder: 00000001 and not 00000000\n" in r.out, r.out)
        r = self.run_blink("--disk=/no/such/file", "-r", floppy)
        self.tap.case("a disk that is not there", r.status == 125 and
                      r.err.startswith(b"blink: disk: /no/such/file: No such file or directory\n"),
                      r.err)

    def forth(self):
        typed = "".join(line + "\n" for line, _ in FORTH) + "bye\n"
        shown = "?\n" + "".join(f"{line}\n{says}\n" for line, says in FORTH) + "bye\n"
        self.expect("a Forth in a boot sector", ["--display=text", "-r", self.image("forth")],
                    shown.encode(), stdin=typed.encode())
        for adapter in ("cga", "mda"):
            self.expect("the same on a " + adapter.upper(),
                        ["--device=" + adapter, "--display=text", "-r", self.image("forth")],
                        b"?\n6 7 * .\n42 ok\nbye\n", stdin=b"6 7 * .\nbye\n")
        r = self.run_blink("--display=ansi", "-r", self.image("forth"), stdin=b"6 7 * . bye\n")
        self.tap.case("as a terminal shows it",
                      r.status == OK and r.out.startswith(b"\033[0m\033[2J\033[H") and
                      r.out.endswith(b"\r\n"), r.out[:200])

    def picture(self):
        shot = os.path.join(self.dir, "last.png")
        r = self.run_blink("--screenshot=" + shot, "-r", self.image("picture"))
        if b"without libpng" in r.err:
            self.tap.skip("a screenshot as PNG", "this blink has no libpng")
            return
        self.tap.case("a picture is drawn", (r.status, r.out) == (OK, b"picture ok\n"), r.out, r.err)
        width, height, rows = png(shot)
        red, yellow = rows[300][900:903], rows[7][639 * 3:]
        self.tap.case("a screenshot as PNG", (width, height, red, yellow) ==
                      (640, 480, b"\xff\x55\x55", b"\xff\xff\x55"), width, height, red, yellow)
        r = self.run_blink("--screenshot=last.gif", "-r", self.image("picture"))
        self.tap.case("a screenshot of a kind that is not known", r.status == 125 and
                      b"its name ends neither with .png nor with .txt" in r.err, r.err)

    def outside(self):
        """A device that only the installed headers and pkg-config are needed for."""
        stage, work = os.path.join(self.dir, "stage"), os.path.join(self.dir, "fifo")
        shutil.copytree(os.path.join(self.options.source, "docs/examples/fifo"), work)
        if not shutil.which("make") or not shutil.which("pkg-config"):
            self.tap.skip("a device from outside", "no make or no pkg-config")
            return
        subprocess.run([*shlex.split(self.options.meson), "install", "-C", self.options.build,
                        "--no-rebuild", "--tags", "devel", "--destdir", stage],
                       capture_output=True, check=True)
        found = [folder for folder, _, files in os.walk(stage) if "blink.pc" in files]
        env = {**self.env, "PKG_CONFIG_PATH": found[0], "PKG_CONFIG_SYSROOT_DIR": stage}
        made = subprocess.run(["make", "-C", work, "CFLAGS=-O2 -Werror -Wpedantic"], env=env,
                              capture_output=True, text=True)
        self.tap.case("a device is built outside of the tree", made.returncode == 0, made.stderr)
        self.expect("and used by a program", ["--plugin-dir=" + work, "--device=fifo", "-r",
                                              self.image("fifo")], b"fifo ok\n")

    def refusals(self):
        r = self.run_blink("--bios=/no/such/rom", "-r", self.image("forth"))
        self.tap.case("a ROM that is not there", r.status == 125 and
                      r.err.startswith(b"blink: bios: /no/such/rom: No such file or directory\n"),
                      r.err)
        r = self.run_blink("--display=maybe", "-r", self.image("forth"))
        self.tap.case("no such display", r.status == 2 and
                      b"--display=maybe: there are text, ansi and none" in r.err, r.err)

    def run(self):
        try:
            self.services()
            self.disks()
            self.forth()
            self.picture()
            self.outside()
            self.refusals()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    for name in ("blink", "dir", "build", "source", "meson"):
        parser.add_argument("--" + name, required=True)
    options, flags = parser.parse_known_args()
    return Realmode(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
