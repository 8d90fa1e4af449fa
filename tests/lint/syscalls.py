# docs/SYSCALLS.md says what syscalls.def says: the table is made from it, with the tests that name
# each call. syscalls.py SOURCE-ROOT [--update]
import os
import re
import sys

import tap

root = sys.argv[1]
PAGE = 'docs/SYSCALLS.md'
HEAD = '''# System calls

Made from `abi/linux/syscalls.def` by `ninja -C build update-syscalls`; a test compares the two. *Answered*: by the
plugin `abi-linux`. *Refused*: with the error a Linux gives that was built without the call or does not allow it.
Numbers that are not here get ENOSYS and one line in the log. Tests are the files that make the call by name or by its
C library function of the same name; every answered call is also made with bad pointers of all kinds by
`tests/abi-linux`.

{answered} answered, {refused} refused.

| number | call | status | tests |
| --- | --- | --- | --- |
'''


def rows():
    for line in tap.read(root, 'abi/linux/syscalls.def').splitlines():
        found = re.match(r'(SYS|SYS_REFUSE)\((\d+), (\w+)(?:, (\w+))?', line)
        if found:
            kind, number, name, extra = found.groups()
            status = 'answered' if kind == 'SYS' else f'refused: {extra}'
            yield int(number), name, status


def words_of_tests():
    for path in tap.sources(root, '.c') + tap.sources(root, '.py'):
        part = path.split(os.sep)
        if part[0] == 'tests' and part[1] in ('abi-linux', 'guest', 'programs', 'distro'):
            yield path[len('tests/'):], set(re.findall(r'\w+', tap.read(root, path)))


def page():
    tests = sorted(words_of_tests())
    table = list(rows())
    text = HEAD.format(answered=sum(s == 'answered' for _, _, s in table),
                       refused=sum(s.startswith('refused') for _, _, s in table))
    for number, name, status in table:
        names = {name, 'lx_sys_' + name, 'SYS_' + name, '__NR_' + name}
        where = [path for path, words in tests if names & words]
        shown = ', '.join(where[:3]) + (f' and {len(where) - 3} more' if len(where) > 3 else '')
        text += f'| {number} | {name} | {status} | {shown} |\n'
    return text


def facts(text):
    """Rows without the tests, which come and go."""
    return [line.split('|')[1:4] for line in text.splitlines() if re.match(r'\| \d', line)]


made = page()
path = os.path.join(root, PAGE)
if '--update' in sys.argv:
    with open(path, 'w') as out:
        out.write(made)
else:
    there = open(path).read() if os.path.exists(path) else ''
    same = facts(there) == facts(made)
    tap.check('the table of system calls is current',
              [] if same else [f'{PAGE} differs from syscalls.def; run ninja update-syscalls'])
    tap.done()
