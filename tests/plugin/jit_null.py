# A real program through jit-null, in both memory strategies: the output is the machine's own, and
# the back end took part. jit_null.py BLINK
import os
import re
import shutil
import sys

from run import run, scratch, tap

blink = sys.argv[1]
busybox = shutil.which('busybox')
SCRIPT = '''
i=0; while [ $i -lt 200 ]; do i=$((i+1)); done; echo $i
seq 1 500 | sort -r | tail -n 2
(exit 3); echo $?
head -c 20000 "$1" | sha256sum
awk 'BEGIN { for (k = 1; k < 200; k++) s += sqrt(k); printf "%.6f\\n", s }'
trap 'echo trapped' TERM; kill -TERM $$; echo after
'''


def through(*options):
    """Problems of one run, with the counters that the back end logs as it goes."""
    program = [busybox, 'sh', '-c', SCRIPT, 'sh', blink]
    log = os.path.join(scratch.name, 'log')
    native = run(program)
    done = run([blink, '--jit=null', '-vv', '-L', log, *options, *program])
    if (done.returncode, done.stdout) != (native.returncode, native.stdout):
        yield f'status {done.returncode}, not {native.returncode}; output {done.stdout!r}, ' \
              f'not {native.stdout!r}'
    with open(log, encoding='utf-8', errors='replace') as file:
        runs = re.findall(r'jit-null: translated (\d+), refused 0, entered (\d+), linked (\d+)',
                          file.read())
    if not any(int(t) > 50 and int(e) > 1000 and int(n) > 20 for t, e, n in runs):
        yield f'jit-null hardly took part: {runs}'
    os.remove(log)


def is_static(path):
    with open(path, 'rb') as file:
        return b'/ld-linux' not in file.read(4096)


if busybox and is_static(busybox):
    tap.check('linear memory', through())
    tap.check('paged memory', through('-m'))
else:
    tap.skip('a real program through jit-null', 'no static busybox')
tap.done()
