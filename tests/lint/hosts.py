# The Linux ABI and what it stands on, compiled for another host than this one: what passes between
# host and guest as it is must be laid out alike there (abi/linux/passed.c), and the rest must build.
# hosts.py SOURCE-ROOT COMPILER
import os
import subprocess
import sys
import tempfile

import tap

root, compiler = sys.argv[1], sys.argv[2]
FOLDERS = ('abi/linux', 'core/exec', 'core/machine', 'core/mem')
OPTIONS = ['-std=c11', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64', '-Wall', '-Wextra', '-Werror',
           '-fsyntax-only', '-I', os.path.join(root, 'core/include'), '-I', os.path.join(root, 'core')]
TABLE = os.path.join(root, 'abi/linux/passed.c')


def errors(*paths):
    run = subprocess.run([compiler, *OPTIONS, *paths], capture_output=True, text=True, check=False)
    return [line for line in run.stderr.split('\n') if 'error' in line] if run.returncode else []


def files():
    for folder in FOLDERS:
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if name.endswith('.c'):
                yield os.path.join(root, folder, name)


def table_is_blind():
    """Rows that are wrong must not compile."""
    with open(TABLE, encoding='utf-8') as f:
        text = f.read()
    for row, wrong in (('SAME(O_CREAT, 64)', 'SAME(O_CREAT, 65)'),
                       ('SIZE(struct pollfd, 8)', 'SIZE(struct pollfd, 12)'),
                       ('AT(struct flock, l_start, 8)', 'AT(struct flock, l_start, 4)')):
        if row not in text:
            yield f'{TABLE}: no row {row}'
            continue
        with tempfile.NamedTemporaryFile('w', suffix='.c') as changed:
            changed.write(text.replace(row, wrong))
            changed.flush()
            if not errors(changed.name):
                yield f'{wrong} compiles'


tap.check('what passes as it is, is as on x86-64', errors(TABLE))
tap.check('a wrong row does not compile', table_is_blind())
tap.check('the Linux ABI and its ground compile', errors(*files()))
tap.done()
