#!/usr/bin/env python3
"""Suite programs: below a root and in overlays, with a small tree made of this machine's programs.

usage: roots.py --blink PATH [OPTION of blink]...
The output is what chroot would give, written down here, since chroot needs rights.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import blinktest  # noqa: E402

APPLETS = ["sh", "ls", "cat", "echo", "readlink", "rm", "ln", "mkdir", "pwd", "test"]

# Name, command line of sh, output.
INSIDE = [
    ("file of the root", "cat /etc/name", "inside\n"),
    ("absolute link", "cat /link /dir/name", "inside\ninside\n"),
    ("up and up", "cat ../../../etc/name /dir/../etc/name", "inside\ninside\n"),
    ("starts at the top", "pwd; ls -d /*", "/\n/bin\n/dev\n/dir\n/etc\n/lib\n/lib64\n/link\n"
     "/proc\n/tmp\n/usr\n"),
    ("where it is", "cd /dir; pwd; /bin/readlink /proc/self/cwd", "/dir\n/etc\n"),
    ("the program", "/bin/readlink /proc/self/exe", "/usr/bin/busybox\n"),
    ("what the host lends", "echo gone > /dev/null; test -c /dev/null && test -d /proc/self && "
     "echo yes", "yes\n"),
    ("writing", "echo words > /tmp/new; ln -s /tmp/new /tmp/n; cat /tmp/n; rm /tmp/n /tmp/new",
     "words\n"),
    ("script", "/usr/bin/script a b", "script /usr/bin/script a b\n"),
    ("nothing of the host", "cat /etc/passwd 2>/dev/null || echo none", "none\n"),
]
DYNAMIC = [
    ("interpreter and libraries", "/bin/bash -c 'echo $0 $((6 * 7)); cat /etc/name'",
     "/bin/bash 42\ninside\n"),
    ("no library of the host", "/bin/bash -c 'while read -r line; do case $line in */lib*) "
     "echo ${line##* };; esac; done < /proc/self/maps' | /bin/sh -c 'while read a; do "
     "test -e $a || echo $a; done'", ""),
]


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def make(root, busybox):
    for name in ("usr/bin", "usr/lib", "usr/lib64", "etc", "tmp", "proc", "dev"):
        os.makedirs(os.path.join(root, name))
    for link, target in (("bin", "/usr/bin"), ("lib", "usr/lib"), ("lib64", "/usr/lib64"),
                         ("link", "/etc/name"), ("dir", "/etc")):
        os.symlink(target, os.path.join(root, link))
    put(os.path.join(root, "etc/name"), "inside\n")
    put(os.path.join(root, "usr/bin/script"), "#!/bin/sh\necho script $0 $@\n", 0o755)
    shutil.copy(busybox, os.path.join(root, "usr/bin/busybox"))
    for name in APPLETS:
        os.symlink("/bin/busybox", os.path.join(root, "usr/bin", name))


def add_bash(root):
    """Copy bash and what it needs into the root; False if it is not a dynamic program here."""
    try:
        needs = subprocess.run(["ldd", "/bin/bash"], capture_output=True, text=True,
                               check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    for path in re.findall(r"(/\S+) \(0x", needs):
        to = root + os.path.realpath(os.path.dirname(path))
        os.makedirs(to, exist_ok=True)
        shutil.copy(path, to)
    shutil.copy("/bin/bash", root + "/usr/bin/bash")
    return True


class Roots:
    def __init__(self, tap, blink, root):
        self.tap, self.blink, self.root = tap, blink, root
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}

    def expect(self, name, options, command, output, env=None):
        r = blinktest.run(self.blink + options + command, env=dict(self.env, **(env or {})))
        good = r.status == 0 and r.out == output.encode()
        self.tap.case(name, good, blinktest.describe_status(r.status), f"want {output!r}",
                      f"got  {r.out!r}", r.err)

    def shell(self, cases):
        for name, line, output in cases:
            self.expect(name, ["-C", self.root], ["/bin/sh", "-c", line], output)

    def overlays(self):
        with tempfile.TemporaryDirectory() as top:
            put(top + "/etc/name", "over\n")
            put(top + "/only", "only\n")
            env = {"BLINK_OVERLAYS": f"{top}:{self.root}"}
            self.expect("overlays: the first has it", [], ["/bin/cat", "/etc/name", "/only"],
                        "over\nonly\n", env)
            self.expect("overlays: link of one into the other", [],
                        ["/bin/sh", "-c", "cat /link /dir/name"], "over\nover\n", env)
            self.expect("overlays: a program starts another", [],
                        ["sh", "-c", "/usr/bin/script x"], "script /usr/bin/script x\n", env)
            with open("/etc/passwd", encoding="utf-8") as f:
                host = f.read()
            self.expect("overlays: the host's own tree", [], ["cat", "/etc/name", "/etc/passwd"],
                        "over\n" + host, {"BLINK_OVERLAYS": top + ":"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    args, options = parser.parse_known_args()
    tap = blinktest.Tap()
    busybox = shutil.which("busybox", path="/bin:/usr/bin")
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.realpath(folder)
        if busybox:
            make(root, busybox)
            roots = Roots(tap, [os.path.abspath(args.blink)] + options, root)
            roots.shell(INSIDE)
            roots.overlays()
            if add_bash(root):
                roots.shell(DYNAMIC)
            else:
                tap.skip("dynamic programs", "no dynamic bash here")
        else:
            tap.skip("roots", "no busybox here")
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
