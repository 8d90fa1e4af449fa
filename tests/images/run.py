#!/usr/bin/env python3
"""Suite images: system software that others wrote, in TAP.

usage: run.py --blink PATH [--only TEXT] [OPTION of blink]...
Images are made here of what Debian's packages bring; a case that lacks something is skipped and
names it. Each is watched on its screen or serial port until it shows what is expected, and ended by
a signal then.
"""

import argparse
import glob
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import blinktest  # noqa: E402

PATIENCE = 300  # seconds for each thing that shall be seen
TERMINATED = 128 + 15

ISOLINUX = "/usr/lib/ISOLINUX/isolinux.bin"
LDLINUX = "/usr/lib/syslinux/modules/bios/ldlinux.c32"
MEMTEST = "/boot/memtest86+x64.bin"
IPXE = "/usr/lib/ipxe/ipxe.iso"
GRUB = "/usr/lib/grub/i386-pc/kernel.img"


class Screen:
    """As much of a terminal as blink's output needs: positions, clearing, text."""

    def __init__(self):
        self.rows, self.x, self.y, self.rest = {}, 0, 0, ""

    def feed(self, data):
        text = self.rest + data
        cut = text.rfind("\033")
        whole = cut < 0 or re.match(r"\033\[[0-9;?]*[A-Za-z]", text[cut:])
        self.rest = "" if whole else text[cut:]
        for sequence, end, plain in re.findall(r"\033\[([0-9;?]*)([A-Za-z])|([^\033])",
                                               text if whole else text[:cut]):
            self.control(sequence, end) if end else self.put(plain)

    def control(self, sequence, end):
        if end == "J":
            self.rows = {}
        if end == "H":
            row, column = (sequence.split(";") + ["1"])[:2] if sequence else ("1", "1")
            self.y, self.x = int(row) - 1, int(column) - 1

    def put(self, c):
        if c == "\n":
            self.y += 1
        elif c == "\r":
            self.x = 0
        else:
            self.rows.setdefault(self.y, {})[self.x] = c
            self.x += 1

    def text(self):
        lines = []
        for y in range(max(self.rows, default=-1) + 1):
            row = self.rows.get(y, {})
            lines.append("".join(row.get(x, " ") for x in range(max(row, default=-1) + 1)).rstrip())
        return "\n".join(lines)


class Serial:
    """A line of text without a screen."""

    def __init__(self):
        self.all = ""

    def feed(self, data):
        self.all += data

    def text(self):
        return self.all


class Images:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.only = options.only
        self.blink = [os.path.abspath(options.blink)] + flags
        self.dir = tempfile.mkdtemp(prefix="blink-images-")

    def watch(self, name, args, steps, screen=None):
        """Steps are (what is awaited, what is typed then)."""
        screen = screen or Screen()
        command = [*self.blink, *args]
        child = blinktest.start(command, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, cwd=self.dir)
        try:
            seen = all(self.step(child, screen, *step) for step in steps)
            child.terminate()
            _, err = child.communicate(timeout=60)
            self.tap.case(name, seen and child.returncode == TERMINATED, "$ " + " ".join(command),
                          f"status {child.returncode}", err.decode(errors="replace"), screen.text())
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()

    def step(self, child, screen, awaited, typed):
        end = time.monotonic() + PATIENCE
        while not re.search(awaited, screen.text(), re.M):
            ready, _, _ = select.select([child.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(child.stdout.fileno(), 65536) if ready else b""
            if not data:
                return False
            screen.feed(data.decode(errors="replace"))
        child.stdin.write(typed)
        child.stdin.flush()
        return True

    def lacks(self, name, files=(), programs=()):
        if self.only and self.only not in name:
            return True
        missing = [f for f in files if not os.path.exists(f)]
        missing += [p for p in programs if not shutil.which(p)]
        if missing:
            self.tap.skip(name, "there is no " + missing[0])
        return bool(missing)

    def make(self, *command):
        subprocess.run(command, check=True, capture_output=True, cwd=self.dir)

    def tree(self, name, files):
        """A folder with copies of files, or their contents."""
        root = os.path.join(self.dir, name)
        for path, source in files.items():
            target = os.path.join(root, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if isinstance(source, bytes):
                with open(target, "wb") as f:
                    f.write(source)
            else:
                shutil.copy(source, target)
        os.makedirs(root, exist_ok=True)
        return root

    def grub_cd(self, name, files):
        self.make("grub-mkrescue", "-o", name + ".iso", self.tree(name, files))
        return name + ".iso"

    def grub(self):
        name = "GRUB: its prompt, ls and help"
        if self.lacks(name, [GRUB], ["grub-mkrescue", "xorriso", "mformat"]):
            return
        self.watch(name, ["-r", "--display=ansi", self.grub_cd("grub", {})],
                   [(r"^grub> *$", b"ls\n"), (r"^grub> ls\n.*\(cd", b"set pager=0\n"),
                    (r"pager=0\s+grub> *$", b"clear\nhelp write_byte\n"),
                    (r"Usage: write_byte", b"")])

    def memtest(self):
        name = "memtest86+"
        if self.lacks(name, [GRUB, MEMTEST], ["grub-mkrescue", "xorriso", "mformat"]):
            return
        cd = self.grub_cd("memtest", {
            "boot/memtest": MEMTEST,
            "boot/grub/grub.cfg": b"set timeout=0\nmenuentry m { linux16 /boot/memtest }\n"})
        self.watch(name, ["-r", "--display=ansi", "--memory=16M", cd],
                   [(r"Memtest86\+ v\d", b""), (r"Test #[2-9]", b""), (r"Errors: 0", b"")])

    def isolinux(self):
        name = "ISOLINUX: its boot prompt"
        if self.lacks(name, [ISOLINUX, LDLINUX], ["xorriso"]):
            return
        root = self.tree("isolinux", {"isolinux.bin": ISOLINUX, "ldlinux.c32": LDLINUX,
                                      "isolinux.cfg": b"prompt 1\ntimeout 0\ndefault none\n"})
        self.make("xorriso", "-as", "mkisofs", "-o", "isolinux.iso", "-b", "isolinux.bin",
                  "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", root)
        self.watch(name, ["-r", "--display=ansi", "isolinux.iso"],
                   [(r"^boot:", b"huh\n"), (r"(?i)failed: No such file|could not find kernel image: huh", b"")])

    def syslinux(self):
        name = "SYSLINUX on a floppy: its boot prompt"
        if self.lacks(name, [LDLINUX], ["syslinux", "mformat"]):
            return
        self.make("mformat", "-C", "-f", "1440", "-i", "floppy.img", "::")
        self.make("syslinux", "--install", "floppy.img")
        self.tree("syslinux", {"syslinux.cfg": b"prompt 1\ntimeout 0\ndefault none\n"})
        self.make("mcopy", "-i", "floppy.img", "syslinux/syslinux.cfg", "::")
        self.watch(name, ["-r", "--display=ansi", "floppy.img"],
                   [(r"^boot:", b"huh\n"), (r"(?i)failed: No such file|could not find kernel image: huh", b"")])

    def ipxe(self):
        name = "iPXE: its banner"
        if not self.lacks(name, [IPXE]):
            self.watch(name, ["-r", "--display=ansi", IPXE],
                       [(r"iPXE \d+\.\d+", b""), (r"Features:.*ELF", b"")])

    def linux(self):
        """Debian's own kernel, where one is installed: there is no disk with a root for it."""
        name = "Linux: to where it looks for its root"
        kernels = sorted(glob.glob("/boot/vmlinuz-*")) or ["/boot/vmlinuz"]
        if self.lacks(name, [GRUB, kernels[0]], ["grub-mkrescue", "xorriso", "mformat"]):
            return
        cd = self.grub_cd("linux", {
            "boot/vmlinuz": kernels[0],
            "boot/grub/grub.cfg": b"set timeout=0\nmenuentry l "
            b"{ linux /boot/vmlinuz console=ttyS0 }\n"})
        self.watch(name, ["-r", "--display=none", "--memory=256M", cd],
                   [(r"Linux version \d", b""), (r"ttyS0 at I/O 0x3f8 \(irq = 4", b""),
                    (r"i8042 KBD port at 0x60,0x64 irq 1", b""),
                    (r"Unable to mount root fs", b"")], Serial())

    def run(self):
        try:
            self.grub()
            self.memtest()
            self.isolinux()
            self.syslinux()
            self.ipxe()
            self.linux()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--only", default="")
    options, flags = parser.parse_known_args()
    return Images(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
