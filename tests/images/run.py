#!/usr/bin/env python3
"""Suite images: system software that others wrote, in TAP.

usage: run.py --blink PATH [--only TEXT] [--kernels DIR] [OPTION of blink]...
Images are made here of what Debian's packages bring; a case that lacks something is skipped and
names it. Each is watched on its screen or serial port until it shows what is expected, and ends
itself then or is ended by a signal. Kernels are in DIR, where `./dev test` puts them, or in /boot.
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
FULL = os.environ.get("BLINK_DISTRO") == "full"

# What a kernel finds as its first file system: a shell at the terminal that is named `term`.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for word in $(cat /proc/cmdline); do
    case $word in term=*) term=/dev/${word#term=} ;; esac
done
# The kernel's own lines would come between those of programs.
echo 1 >/proc/sys/kernel/printk
# Without echo the shell reads whole lines, and asks the terminal nothing.
stty -echo <$term
while :; do
    setsid -c sh <$term >$term 2>&1
done
"""


def cpio(files):
    """An archive of the format that kernels take, of names and (mode, contents)."""
    archive = b""
    for name, (mode, data) in [*files.items(), ("TRAILER!!!", (0, b""))]:
        fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    return archive


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
        self.kernels = options.kernels
        self.blink = [os.path.abspath(options.blink)] + flags
        self.dir = tempfile.mkdtemp(prefix="blink-images-")

    def watch(self, name, args, steps, screen=None, status=TERMINATED):
        """Steps are (what is awaited, what is typed then); `status` if it ends itself."""
        screen = screen or Screen()
        command = [*self.blink, *args]
        child = blinktest.start(command, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, cwd=self.dir)
        try:
            seen = all(self.step(child, screen, *step) for step in steps)
            if status == TERMINATED or not seen:
                child.terminate()
            out, err = child.communicate(timeout=60)
            screen.feed(out.decode(errors="replace"))
            self.tap.case(name, seen and child.returncode == status, "$ " + " ".join(command),
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

    def kernel(self, name, installed):
        """That of --kernels, or one of /boot."""
        found = sorted(glob.glob(os.path.join("/boot", installed)))
        own = os.path.join(self.kernels, name)
        return found[0] if found and not os.path.exists(own) else own

    def linux_cd(self, name, entry, *kernels):
        """A CD that boots kernels with a shell of busybox, or None."""
        busybox = shutil.which("busybox") or "busybox"
        if self.lacks(name, [GRUB, *kernels, busybox], ["grub-mkrescue", "xorriso", "mformat"]):
            return None
        with open(busybox, "rb") as f:
            shell = f.read()
        if b"/ld-linux" in shell[:4096]:
            self.tap.skip(name, "there is no static busybox")
            return None
        files = {f"boot/{k}": kernel for k, kernel in enumerate(kernels)}
        return self.grub_cd(re.sub(r"\W+", "-", name), {
            **files,
            "boot/initrd": cpio({"bin": (0o40755, b""), "bin/busybox": (0o100755, shell),
                                 "init": (0o100755, INIT.encode())}),
            "boot/grub/grub.cfg": f"set timeout=0\nmenuentry k {{\n{entry}\n}}\n".encode()})

    def linux(self, name, flags=()):
        cd = self.linux_cd(name, "linux /boot/0 console=ttyS0 term=ttyS0 mitigations=off\n"
                           "initrd /boot/initrd", self.kernel("vmlinuz", "vmlinuz*"))
        if cd:
            self.watch(name, ["-r", "--display=none", "--memory=256M", *flags, cd],
                       [(r"Linux version \d", b""),
                        (r"ACPI: Using ACPI \(MADT\) for SMP configuration", b""),
                        (r"ttyS0 at I/O 0x3f8 \(irq = 4", b""),
                        (r"i8042 KBD port at 0x60,0x64 irq 1", b""),
                        (r"^/ # ", b"cat /proc/interrupts\n"),
                        (r"^ +0: +\d+ +IO-APIC +2-edge +timer", b""),
                        (r"^ +4: +\d+ +IO-APIC +4-edge +ttyS0", b""),
                        (r"^LOC: +[1-9]\d* +Local timer", b""),
                        (r"(?s)\nERR: +0\b.*\n/ # ", b"poweroff -f\n"),
                        (r"reboot: Power down", b"")], Serial(), status=0)

    def linux_screen(self):
        """Its keyboard and screen; interrupts by the table of those who know no ACPI."""
        name = "Linux without ACPI, at its screen"
        cd = self.linux_cd(name, "linux /boot/0 console=tty0 term=tty1 acpi=off mitigations=off\n"
                           "initrd /boot/initrd", self.kernel("vmlinuz", "vmlinuz*"))
        if cd:
            self.watch(name, ["-r", "--display=ansi", "--memory=256M", cd],
                       [(r"^/ #$", b"clear; grep APIC /proc/interrupts\n"),
                        (r"^ +0: +\d+ +IO-APIC +2-edge +timer", b""),
                        (r"^ +1: +[1-9]\d* +IO-APIC +1-edge +i8042", b""),
                        (r"(?s)i8042.*\n/ #\s*\Z", b"poweroff -f\n"),
                        (r"reboot: (System halted|Power down)", b"")], status=0)

    def xen(self):
        """A hypervisor, and Linux in a machine of its making, whose kernel runs in ring 3."""
        name = "Xen, and Linux on it"
        cd = self.linux_cd(name, "multiboot2 /boot/0 console=com1 com1=115200,8n1 dom0_mem=384M\n"
                           "module2 /boot/1 console=hvc0 term=hvc0\nmodule2 /boot/initrd",
                           self.kernel("xen.gz", "xen*.gz"), self.kernel("vmlinuz", "vmlinuz*"))
        if cd:
            self.watch(name, ["-r", "--display=none", "--memory=768M", cd],
                       [(r"\(XEN\) Platform timer is \S+ ACPI PM Timer", b""),
                        (r"\(XEN\) ENABLING IO-APIC IRQs", b""),
                        (r"Hypervisor detected: Xen PV", b""),
                        (r"^/ # ", b"cat /proc/interrupts\n"),
                        (r"^ +1: +\d+ +xen-pirq +-ioapic-edge +i8042", b""),
                        (r"(?s)\nERR: +0\b.*\n/ # ", b"poweroff -f\n"),
                        (r"\(XEN\) Entering ACPI S5 state", b"")], Serial(), status=0)

    def run(self):
        try:
            self.grub()
            self.memtest()
            self.isolinux()
            self.syslinux()
            self.ipxe()
            self.linux("Linux: to a shell, and off")
            self.linux_screen()
            self.linux("Linux with virtual time", ["--clock=icount"])
            self.xen()
            if FULL:
                self.linux("Linux, interpreted", ["-j"])
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--kernels", default="/boot")
    options, flags = parser.parse_known_args()
    return Images(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
