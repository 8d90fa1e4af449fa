#!/usr/bin/env python3
"""Boot loaders of Debian from images made here, in TAP; by hand, since they take their time.

usage: run.py --blink PATH [--linux VMLINUZ] [OPTION of blink]...
GRUB to its prompt and two commands, iPXE (loaded by ISOLINUX) to its banner; with --linux a kernel,
booted by GRUB, until it looks for its root. What is not installed is skipped.
"""

import argparse
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import blinktest  # noqa: E402

GRUB = "/usr/lib/grub/i386-pc"
IPXE = "/usr/lib/ipxe/ipxe.iso"

GRUB_SERIAL = "serial --unit=0\nterminal_input serial\nterminal_output serial\n"


class Boot:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.blink = [os.path.abspath(options.blink), *flags]
        self.linux = options.linux
        self.dir = tempfile.mkdtemp(prefix="blink-boot-")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

    def boots(self, name, image, talk, flags=()):
        """`talk`: what is waited for in the output, and what is typed then."""
        said, at, deadline = b"", 0, time.monotonic() + 600
        with subprocess.Popen([*self.blink, *flags, "-r", image], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env,
                              cwd=self.dir) as child:
            done = 0
            for wanted, typed in talk:
                while wanted not in said[at:] and time.monotonic() < deadline:
                    ready, _, _ = select.select([child.stdout], [], [], 5)
                    more = os.read(child.stdout.fileno(), 4096) if ready else b" "
                    if not more:
                        break
                    said += more if ready else b""
                if wanted not in said[at:]:
                    break
                at = said.index(wanted, at) + len(wanted)
                done += 1
                child.stdin.write(typed)
                child.stdin.flush()
            child.kill()
        self.tap.case(name, done == len(talk), f"missing: {wanted}",
                      blinktest.clip(said[-3000:]))

    def make(self, command):
        r = blinktest.run(command, env=self.env, cwd=self.dir, timeout=300)
        return r.status == 0

    def write(self, path, text):
        full = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(text)

    def grub_image(self, name, config, files=()):
        root = os.path.join(self.dir, name)
        self.write(name + "/boot/grub/grub.cfg", config)
        for source, target in files:
            shutil.copy(source, os.path.join(root, target))
        image = root + ".iso"
        return image if self.make(["grub-mkrescue", "-d", GRUB, "-o", image, root]) else None

    def grub(self):
        if not shutil.which("grub-mkrescue") or not os.path.isdir(GRUB):
            self.tap.skip("GRUB", "grub-pc-bin, grub-common, xorriso, mtools")
            return
        image = self.grub_image("grub", GRUB_SERIAL)
        if not image:
            self.tap.skip("GRUB", "grub-mkrescue cannot make an image here")
            return
        self.boots("GRUB", image, [(b"grub> ", b"ls\r"), (b"(cd)", b""), (b"grub> ", b"help\r"),
                                   (b"blocklist", b"")])
        if self.linux:
            config = GRUB_SERIAL + "linux /boot/vmlinuz console=ttyS0 panic=0\nboot\n"
            image = self.grub_image("linux", config, [(self.linux, "boot/vmlinuz")])
            self.boots("Linux", image, [(b"Linux version", b""), (b"Unable to mount root fs", b"")],
                       flags=["--memory=256M"])

    def ipxe(self):
        if not os.path.exists(IPXE):
            self.tap.skip("iPXE", "ipxe")
            return
        self.boots("iPXE", IPXE, [(b"ISOLINUX", b""), (b"iPXE initialising devices...ok", b""),
                                  (b"Open Source Network Boot Firmware", b"")],
                   flags=["--display=text"])

    def run(self):
        try:
            self.grub()
            self.ipxe()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        return self.tap.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--linux")
    options, flags = parser.parse_known_args()
    return Boot(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
