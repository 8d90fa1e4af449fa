#!/usr/bin/env python3
"""Suite programs: static programs that nobody here wrote, natively and under blink, in TAP.

usage: run.py --blink PATH --dir DIR [--only NAME] [OPTION of blink]...
DIR holds what the build made: lua.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import blinktest  # noqa: E402

TEXT = "".join(f"{n} {n * n % 1009} line{'s' * (n % 5)} of text\n" for n in range(3000)).encode()
DATA = bytes((n * n >> 3 ^ n) & 255 for n in range(150000))

# Scripts for `busybox sh -c`; what they leave behind is in a folder made anew for each run.
BUSYBOX_SH = {
    "loops": "i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; echo $i; "
             "for a in x y z; do for b in 1 2 3; do echo -n $a$b' '; done; done; echo",
    "functions": 'f() { [ "$1" -le 1 ] && echo 1 || echo $(( $1 * $(f $(( $1 - 1 )) ) )); }; f 9',
    "here-document": "cat <<END | tr a-z A-Z\nhello $((1 + 2))\nEND",
    "pipes": "seq 1 500 | grep 7 | sort -rn | head -n 20 | paste -s -d+ - | bc",
    "status": "(exit 3); echo $?; false || echo no; ! true; echo $?; exit 44",
    "signals": "trap 'echo caught' USR1; kill -USR1 $$; trap 'echo bye' EXIT; kill -TERM $$",
    "killed": "sh -c 'kill -9 $$'; echo $?",
    "background": "sleep 0.2 & wait; (exit 5) & wait $!; echo $?",
    "expansions": "v=/usr/lib/x.tar.gz; echo ${v##*/} ${v%%.*} ${v#/*/} ${#v} ${none:-default}; "
                  "set -- a 'b c' d; shift; echo $# \"$1\"; printf '%s,%03d\\n' x 7",
    "round trip": "gzip -c data > d.gz; gunzip -c d.gz | cmp - data; gzip -9 data; ls; "
                  "gunzip data.gz; sha256sum data",
    "bzip2 and xz": "bzip2 -c text | bunzip2 | cmp - text && echo same",
    "tar": "mkdir -p a/b; cp text a/b/t; ln -s b/t a/l; ln a/b/t a/h; chmod 640 a/b/t; "
           "tar cf x.tar a; tar tf x.tar; mkdir out; tar xf x.tar -C out; ls -R out; "
           "cmp out/a/h text; tar czf y.tgz a; tar tzf y.tgz | wc -l",
    "cpio": "mkdir d; cp text d/; find d | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null",
    "find": "mkdir -p p/q/r; touch p/1.c p/q/2.c p/q/r/3.h; find p -name '*.c' | sort; "
            "find p -type d -exec echo dir {} +; find p -name '*.h' -delete; find p -type f | wc -l",
    "sed": "sed -n 's/^\\([0-9]*\\) .*line\\(s*\\) .*/\\2-\\1/p' text | sed '5,$d;2!s/^/: /'",
    "files": "mkdir m; cd m; echo 1 >a; cp a b; mv b c; ln -s a l; rm a; ls -l l | cut -c1; "
             "test -e l || echo dangling; stat -c %s c; touch -d '2001-02-03 04:05:06' c; "
             "stat -c %y c; rmdir . 2>/dev/null || rm -rf ../m; du -s ../text | cut -f1",
    "which": "command -v ls cat; type cd; busybox | head -n 1 | cut -d' ' -f1",
    "dd": "dd if=data of=o bs=1000 count=77 skip=3 2>/dev/null; md5sum o; "
          "dd if=/dev/zero bs=1M count=4 2>/dev/null | sha1sum",
    "date": "date -u -d @1000000000; cal 2 2000; expr 17 \\* 3 + 1",
    "xargs": "seq 1 100 | xargs -n 7 echo | tail -n 3; printf 'a b\\0c\\0' | xargs -0 -n1 echo",
    "diff": "sed 's/9/nine/' text > t2; diff text t2 | head -n 30; diff -u text t2 | wc -l",
    "proc": "cat /proc/self/comm; readlink /proc/self/exe; cat /proc/self/cmdline | tr '\\0' ' '",
    "exec": "exec busybox echo replaced",
    "no program": "nonexistent-program; echo $?; ./text; echo $?; /; echo $?",
}

# Commands of busybox, on files text and data.
BUSYBOX = [
    ["ls", "-lR", "/etc"], ["ls", "-la", "--color=never", "/usr/bin"],
    ["sha256sum", "data", "text"], ["sha512sum", "data"], ["md5sum", "text"],
    ["cksum", "data"], ["sort", "-k2,2n", "-k1,1r", "text"], ["sort", "-u", "-k3", "text"],
    ["awk", "{ s[$3] += $2; n[$3]++ } END { for (k in s) print k, s[k], s[k] / n[k] | \"sort\" }",
     "text"],
    ["awk", "BEGIN { for (i = 0; i < 20; i++) printf \"%.10g %e %s\\n\", sin(i), exp(i), i ^ 0.5 }"],
    ["awk", "-f", "program.awk", "text"],
    ["grep", "-c", "-E", "^[0-9]*7 .*(lines|linessss) ", "text"], ["wc", "text", "data"],
    ["find", "/etc", "-maxdepth", "1", "-newer", "/etc/hostname", "-type", "f"],
    ["od", "-A", "x", "-t", "x1z", "data"], ["hexdump", "-C", "data"], ["tail", "-n", "5", "text"],
    ["head", "-c", "100", "text"], ["cut", "-d", " ", "-f", "2,4", "text"], ["uniq", "-c", "text"],
    ["tr", "-cd", "a-z\\n"], ["rev", "text"], ["nl", "text"], ["fold", "-w", "10", "text"],
    ["base64", "data"], ["uuencode", "data", "name"], ["factor", "1234567890123", "97", "600851475143"],
    ["bc", "-l"], ["dc", "-e", "2 200 ^ p"], ["true"], ["false"], ["uname", "-s"],
    ["id", "-u"], ["stat", "-c", "%n %s %a", "text"], ["df", "/nonexistent"], ["cat", "nothing"],
    ["env", "-i", "A=1", "env"], ["printf", "%s %d %x\\n", "a", "10", "255"], ["seq", "1", "3", "40"],
    ["yes", "no"], ["test", "-d", "/etc"], ["unknown-applet"],
]
STDIN = {"tr": TEXT, "bc": b"scale=30\n4*a(1)\nfor (i = 0; i < 5; i++) 2^i\ne(1)\n",
         "uniq": b"a\na\nb\n"}

AWK = """
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
{ count[$2 % 10]++; length_sum += length($0); last = $0 }
/9 / { gsub(/i/, "I"); if (NR < 200) print substr($0, 1, 12) }
END { for (k = 0; k < 10; k++) printf "%d:%d ", k, count[k]; print length_sum, NF, last
      n = split("c,a,b", parts, ","); print n, parts[1], toupper("x"), index("hello", "l"), fib(15) }
"""


def first(*paths):
    for path in paths:
        if os.access(path, os.X_OK) and is_static(path):
            return os.path.realpath(path)
    return None


def is_static(path):
    """An x86-64 ELF file without an interpreter."""
    with open(path, "rb") as f:
        head = f.read(4096)
    return head[:5] == b"\x7fELF\x02" and head[18:20] == b"\x3e\0" and b"/ld-" not in head


class Programs:
    def __init__(self, options, flags):
        self.tap = blinktest.Tap()
        self.options = options
        options.dir = os.path.abspath(options.dir)
        self.work = tempfile.mkdtemp(prefix="blink-programs-")
        self.compare = blinktest.Comparison(self.tap, [options.blink] + flags,
                                            {"TMPDIR": self.work, "HOME": self.work})

    def fresh(self):
        """The same folder contents before every run."""
        for name in os.listdir(self.work):
            path = os.path.join(self.work, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for name, data in (("text", TEXT), ("data", DATA), ("program.awk", AWK.encode())):
            with open(os.path.join(self.work, name), "wb") as f:
                f.write(data)
            os.utime(os.path.join(self.work, name), (1000000000, 1000000000))

    def same(self, name, command, **more):
        if self.options.only and self.options.only not in name:
            return
        self.compare.same(name, command, cwd=self.work, before=self.fresh, timeout=300, **more)

    def need(self, name, package, *paths):
        path = first(*paths)
        if not path and self.options.only in name:
            self.tap.skip(name, f"no static program; package {package} has one")
        return path

    def busybox(self):
        busybox = self.need("busybox", "busybox-static", "/bin/busybox", "/usr/bin/busybox")
        if not busybox:
            return
        for words in BUSYBOX:
            adjust = None
            if words[0] == "yes":
                # Endless: its reader goes away, and it dies of SIGPIPE.
                self.same("busybox yes | head", [busybox, "sh", "-c",
                                                 f"{busybox} yes no | head -n 10000 | tail -n 1"])
                continue
            label = " ".join(["busybox"] + [w if len(w) < 30 else w[:30] + "..." for w in words])
            self.same(label, [busybox] + words, stdin=STDIN.get(words[0], b""), adjust=adjust)
        for name, script in BUSYBOX_SH.items():
            self.same(f"busybox sh: {name}", [busybox, "sh", "-c", script], adjust=without_pids)

    def bash(self):
        bash = self.need("bash", "bash-static", "/bin/bash-static", "/usr/bin/bash-static")
        if not bash:
            return
        self.same("bash script", [bash, os.path.join(HERE, "script.bash")], adjust=without_pids)
        self.same("bash -c", [bash, "-c", "echo $BASH_VERSION; for i in {1..5000}; do :; done; "
                              "echo $((SECONDS >= 0)) $((RANDOM >= 0)) $0 $#", "zero", "one"])
        self.same("bash from standard input", [bash, "-s", "arg"], stdin=b"echo $1; exit 6\n")
        self.same("bash kills itself", [bash, "-c", "echo before; kill -INT $$; echo after"])
        self.same("bash syntax error", [bash, "-c", "if then"])

    def others(self):
        zsh = self.need("zsh", "zsh-static", "/bin/zsh-static", "/usr/bin/zsh-static")
        if zsh:
            self.same("zsh -f", [zsh, "-f", "-c", "print ${(o)=:-b c a} ${#:-four} $((2.0 ** 0.5)); "
                                 "typeset -A h; h=(a 1 b 2); print ${(kv)h} | wc -w; "
                                 "repeat 3 print -n x; print; print {1..5} | tr ' ' +"])
        lksh = self.need("lksh", "mksh", "/bin/lksh", "/usr/bin/lksh", "/bin/mksh-static")
        if lksh:
            self.same("lksh", [lksh, "-c", "i=0; while (( i < 3000 )); do let i+=1; done; print $i; "
                               "set -A a x y z; print ${a[2]} ${#a[*]}; print -r - $(print sub) | "
                               "{ read v; print [$v]; }; exit 12"])
        sash = self.need("sash", "sash", "/bin/sash", "/usr/bin/sash")
        if sash:
            self.same("sash", [sash, "-c", "-echo hello; -ls -l text; -wc text"])
        ldconfig = self.need("ldconfig", "libc-bin", "/sbin/ldconfig", "/usr/sbin/ldconfig")
        if ldconfig:
            self.same("ldconfig -p (static-PIE)", [ldconfig, "-p"])
            self.same("ldconfig --version", [ldconfig, "--version"])
        lua = os.path.join(self.options.dir, "lua")
        if os.access(lua, os.X_OK):
            self.same("lua script", [lua, os.path.join(HERE, "script.lua")])
            self.same("lua error", [lua, "/nonexistent.lua"])
        elif self.options.only in "lua":
            self.tap.skip("lua", "liblua5.4-dev is not installed")

    def run(self):
        try:
            self.busybox()
            self.bash()
            self.others()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
        return self.tap.finish()


def without_pids(result):
    """Process numbers differ from run to run."""
    result.err = re.sub(rb" *\b\d{3,}\b", b" PID", result.err)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blink", required=True)
    parser.add_argument("--dir", default=".")
    parser.add_argument("--only", default="")
    options, flags = parser.parse_known_args()
    return Programs(options, flags).run()


if __name__ == "__main__":
    sys.exit(main())
