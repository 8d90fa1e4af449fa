# docs/SYSCALLS.md says what syscalls.def says: the table is made from it, with the tests that make
# each call. syscalls.py SOURCE-ROOT [--update]
#
# Which programs make a call is measured: syscalls.py SOURCE-ROOT --trace BLINK TESTS-DIR runs those
# of the suites guest and distro that are built, and writes what they called into calls.txt.
import os
import re
import subprocess
import sys
import tempfile

import tap

root = sys.argv[1]
PAGE = 'docs/SYSCALLS.md'
CALLS = 'tests/lint/calls.txt'
CALLS_HEAD = '''# Which programs of the tests make which system calls, as traces of them say: CALL: PROGRAM, PROGRAM...
# Made by `ninja -C build trace-syscalls`.
'''
HEAD = '''# System calls

Made from `abi/linux/syscalls.def` by `ninja -C build update-syscalls`; a test compares the two. *Answered*: by the
plugin `abi-linux`. *Refused*: with the error a Linux gives that was built without the call or does not allow it.
Numbers that are not here get ENOSYS and one line in the log.

Tests are the files of `tests/abi-linux` that make the call against the fake host, and the programs that were seen to
make it (`ninja -C build trace-syscalls`): those of `tests/guest`, and cases of the suite `distro`. Of both kinds
output and exit status are compared with native runs. Every answered call is also made with bad pointers of all kinds
by `tests/abi-linux`.

{answered} answered, {refused} refused; {untested} of the answered have no test but that.

| number | call | status | tests |
| --- | --- | --- | --- |
'''
SHOWN = 3


def rows():
    for line in tap.read(root, 'abi/linux/syscalls.def').splitlines():
        found = re.match(r'(SYS|SYS_REFUSE|SYS_NONE)\((\d+), (\w+)(?:, (\w+))?', line)
        if found:
            kind, number, name, extra = found.groups()
            status = {'SYS': 'answered', 'SYS_REFUSE': f'refused: {extra}', 'SYS_NONE': 'ENOSYS'}[kind]
            yield int(number), name, status


def code(text):
    """C without comments and strings."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', ' ', text, flags=re.S)


def unit_tests():
    """Call -> files of tests/abi-linux that make it by number."""
    found = {}
    for path in tap.sources(root, '.c'):
        if path.startswith('tests/abi-linux/test_'):
            for name in set(re.findall(r'\bSYS_(\w+)', code(tap.read(root, path)))):
                found.setdefault(name, []).append(path[len('tests/'):])
    return found


def seen():
    """Call -> programs, of calls.txt."""
    found = {}
    if os.path.exists(os.path.join(root, CALLS)):
        for line in tap.read(root, CALLS).splitlines():
            name, colon, programs = line.partition(': ')
            if colon and not line.startswith('#'):
                found[name] = programs.split(', ')
    return found


def page():
    units, programs, table = unit_tests(), seen(), list(rows())
    tests = {name: sorted(units.get(name, [])) + programs.get(name, []) for _, name, _ in table}
    text = HEAD.format(answered=sum(s == 'answered' for _, _, s in table),
                       refused=sum(s.startswith('refused') for _, _, s in table),
                       untested=sum(s == 'answered' and not tests[n] for _, n, s in table))
    for number, name, status in table:
        where = tests[name]
        shown = ', '.join(where[:SHOWN]) + (f' and {len(where) - SHOWN} more' if len(where) > SHOWN else '')
        text += f'| {number} | {name} | {status} | {shown} |\n'
    return text


def facts(text):
    """Rows without the tests, which come and go."""
    return [line.split('|')[1:4] for line in text.splitlines() if re.match(r'\| \d', line)]


def traced(command, log):
    """Names of the calls that `command`, a runner of tests, makes its programs' blink write to `log`."""
    open(log, 'w').close()
    done = subprocess.run(command + ['-s', '-L', log], capture_output=True)
    if done.returncode:
        print(done.stdout.decode('utf-8', 'replace'), file=sys.stderr)
    # The line of a call that another interrupts is in two halves; the first has the name.
    with open(log, 'rb') as lines:
        return {m.group(1).decode() for m in (re.match(rb'(?:\[pid +\d+\] )?(\w+)\(', line) for line in lines) if m}


def programs_of(blink, tests):
    """(what the page calls it, command that runs it) of all programs there are."""
    sys.path.insert(0, os.path.join(root, 'tests', 'distro'))
    import cases
    runner = [sys.executable, os.path.join(root, 'tests', '{}', 'run.py'), '--blink', blink, '--dir']
    for path in tap.sources(root, '.c'):
        if path.startswith('tests/guest/') and path.count('/') == 2:
            name = os.path.basename(path)[:-2]
            yield f'guest/{name}.c', [w.format('guest') for w in runner] + [
                os.path.join(tests, 'guest'), '--only', name + '.']
    for case in cases.CASES:
        if not case.full:
            yield f'distro: {case.name.replace(",", "")}', [w.format('distro') for w in runner] + [
                os.path.join(tests, 'distro'), '--mode', 'paged', '--part', case.part, '--only', case.name]


def trace(blink, tests):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for label, command in programs_of(blink, tests):
            print(label, flush=True)
            for name in traced(command, os.path.join(folder, 'log')):
                found.setdefault(name, []).append(label)
    known = {name for _, name, _ in rows()}
    with open(os.path.join(root, CALLS), 'w') as out:
        out.write(CALLS_HEAD)
        for name in sorted(known & set(found)):
            out.write(f'{name}: {", ".join(found[name])}\n')


if '--trace' in sys.argv:
    trace(*sys.argv[sys.argv.index('--trace') + 1:][:2])
if '--update' in sys.argv or '--trace' in sys.argv:
    with open(os.path.join(root, PAGE), 'w') as out:
        out.write(page())
else:
    path = os.path.join(root, PAGE)
    there = open(path).read() if os.path.exists(path) else ''
    same = facts(there) == facts(page())
    tap.check('the table of system calls is current',
              [] if same else [f'{PAGE} differs from syscalls.def; run ninja update-syscalls'])
    tap.done()
