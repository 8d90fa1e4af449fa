# Plugins through the executable: each refusal's one line and exit status, the list, the search.
#   cli.py BLINK FIXTURES GUEST
import json
import os
import shutil
import stat
import sys

from run import expect, run, scratch, tap

blink, fixtures, guest = sys.argv[1:4]
NO_MACHINE = 125


def fixture(name):
    return os.path.join(fixtures, name + '.so')


def make(name, content=b''):
    path = os.path.join(scratch.name, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content)
    return path


def head(name, size):
    with open(fixture(name), 'rb') as file:
        return file.read(size)


def refused(path, reason):
    """Given as a file: the line, whatever program was to run; and its own status."""
    yield from expect([blink, '--plugin', path, guest], NO_MACHINE,
                      err=f'blink: {path}: {reason}\n')


def unreadable():
    path = make('device-unreadable.so', head('device-good', 100000))
    os.chmod(path, 0)
    user = 65534 if os.geteuid() == 0 else None
    if user:
        os.chmod(scratch.name, 0o755)
        if run(['true'], user=user, group=user).returncode or not reachable(user):
            return None
    return list(expect([blink, '--plugin', path, guest], NO_MACHINE, user=user,
                       err=f'blink: {path}: Permission denied; make the file readable\n'))


def reachable(user):
    """Whether another user can run blink where it stands."""
    try:
        return run([blink, '--version'], user=user, group=user).returncode == 0
    except OSError:
        return False


def rebuild_line(reason):
    return f'the dynamic linker says: {reason}; rebuild it for this system'


def refusals():
    yield 'no symbol', fixture('device-nosymbol'), \
        'not a plugin: no symbol blink_plugin_entry; define it with BLINK_PLUGIN_DEFINE'
    yield 'bad magic', fixture('device-magic'), \
        'not a plugin: blink_plugin_entry has a wrong magic number; define it with ' \
        'BLINK_PLUGIN_DEFINE'
    yield 'another major version', fixture('device-major'), \
        "built for plugin ABI 2.0, this blink has 1.0; rebuild it with this blink's headers"
    yield 'a newer minor version', fixture('device-needs'), \
        'device needs needs plugin ABI 1.5, this blink has 1.0; use a newer blink'
    yield 'a lacking method', fixture('device-lacking'), \
        'device lacking lacks the required method create; tell its author'
    yield 'an undefined symbol', fixture('device-undefined'), \
        rebuild_line('undefined symbol: nobody_defines_this')
    yield 'a truncated file', make('device-cut.so', head('device-good', 5000)), \
        'not a plugin: the file is truncated; build or install it again'
    yield 'an empty file', make('device-empty.so'), \
        'not a plugin: the file is empty; build or install it again'
    yield 'a text', make('device-text.so', b'#!/bin/sh\n'), \
        'not a plugin: not a shared object; build it with cc -shared'
    yield 'a folder', scratch.name, \
        'is a folder; --plugin takes a file, --plugin-dir a folder'
    yield 'a missing file', os.path.join(scratch.name, 'missing.so'), \
        'No such file or directory; check the path'


def by_name():
    """Found by its name: the same line. Nowhere: its own."""
    path = fixture('device-lacking')
    yield from expect([blink, '--plugin-dir', fixtures, '--device=lacking', guest], NO_MACHINE,
                      err=f'blink: {path}: device lacking lacks the required method create; '
                          'tell its author\n')
    yield from expect([blink, '--device=nosuch', guest], NO_MACHINE,
                      err='blink: no plugin device-nosuch.so; name its folder with --plugin-dir\n')


def layout():
    line = run([blink, '--plugin', fixture('jit-layout'), guest])
    start = f'blink: {fixture("jit-layout")}: jit layout was built for another CPU layout (4096 ' \
            'bytes, layout 77; this blink has '
    if line.returncode != NO_MACHINE or not line.stderr.startswith(start) or \
            not line.stderr.endswith('); rebuild it with this blink\n') or \
            line.stderr.count('\n') != 1:
        yield f'status {line.returncode}, stderr {line.stderr!r}'


def twice():
    first, second = make('a.so', head('device-good', -1)), make('b.so', head('device-good', -1))
    yield from expect([blink, '--plugin', first, '--plugin', second, guest], NO_MACHINE,
                      err=f'blink: {second}: device good is given twice, also by {first}; '
                          'leave one out\n')


def shadow():
    """With -v what was passed over is named, without it is not."""
    path = make('shadow/device-debugcon.so')
    shutil.copyfile(fixture('device-good'), make('shadow/device-good.so'))
    folder = os.path.dirname(path)
    command = [blink, '--plugin-dir', folder, '--device=good', guest, '-x']
    env = {'BLINK_PLUGIN_PATH': fixtures}
    quiet, loud = run(command, env=env), run([blink, '-v', *command[1:]], env=env)
    line = f'blink: {folder}/device-good.so: shadows {fixtures}/device-good.so'
    if quiet.returncode or quiet.stderr:
        yield f'status {quiet.returncode}, stderr {quiet.stderr!r}'
    if line not in loud.stderr.split('\n'):
        yield f'-v does not say "{line}": {loud.stderr!r}'


def listing():
    done = run([blink, '--plugin-dir', fixtures, '--list-plugins'])
    lines = done.stdout.split('\n')
    if done.returncode or done.stderr or lines[0].split() != ['KIND', 'NAME', 'VERSION', 'ABI',
                                                              'PATH', 'STATUS']:
        yield f'status {done.returncode}, stderr {done.stderr!r}, header {lines[0]!r}'
    rows = json.loads(run([blink, '--plugin-dir', fixtures, '--list-plugins=json']).stdout)
    if len(rows) != len(lines) - 2:
        yield f'{len(lines) - 2} rows in the table, {len(rows)} in the JSON'
    found = {(r['kind'], r['name']): r for r in rows}
    wanted = [('device', 'good', 'ok'), ('device', 'major', 'refused'), ('jit', 'layout', 'refused'),
              ('decoder', 'capstone', 'ok'), ('loader', 'elf', 'ok'), ('abi', 'linux', 'ok')]
    for kind, name, status in wanted:
        if found.get((kind, name), {}).get('status') != status:
            yield f'{kind} {name} is not {status}: {found.get((kind, name))}'


def environment():
    yield from expect([blink, '--device=good', guest, '-x'], 0,
                      env={'BLINK_PLUGIN_PATH': f'/nowhere:{fixtures}'})
    data = os.path.join(scratch.name, 'data/blink/plugins')
    make('data/blink/plugins/device-good.so', head('device-good', -1))
    row = [r for r in json.loads(run([blink, '--list-plugins=json']).stdout) if r['name'] == 'good']
    if [r['path'] for r in row] != [f'{data}/device-good.so']:
        yield f"the user's data folder is not searched: {row}"


def privileged():
    """A set-user-id copy run by another user takes no folder from its environment."""
    folder = scratch.name
    if os.geteuid() != 0 or os.statvfs(folder).f_flag & os.ST_NOSUID:
        return None
    copy = os.path.join(folder, 'blink')
    shutil.copyfile(blink, copy)
    os.chmod(copy, 0o755 | stat.S_ISUID)
    os.chmod(folder, 0o755)
    shutil.copyfile(fixture('device-good'), make('open/device-good.so'))
    env = {'BLINK_PLUGIN_PATH': os.path.join(folder, 'open')}
    problems = []
    for user, wanted in ((None, True), (65534, False)):
        done = run([copy, '--list-plugins=json'], user=user, env=env)
        found = any(r['name'] == 'good' and '/open/' in r['path'] for r in json.loads(done.stdout))
        if found != wanted:
            problems.append(f'as user {user}: found is {found}')
    return problems


def check_or_skip(name, problems, reason):
    if problems is None:
        tap.skip(name, reason)
    else:
        tap.check(name, problems)


for name, path, reason in refusals():
    tap.check(f'refused: {name}', refused(path, reason))
check_or_skip('refused: an unreadable file', unreadable(), 'another user cannot run blink here')
tap.check('refused: another CPU layout', layout())
tap.check('refused when found by name', by_name())
tap.check('given twice', twice())
tap.check('shadowing is said with -v', shadow())
tap.check('the list, as table and as JSON', listing())
tap.check('the folders of the environment', environment())
check_or_skip('a privileged process takes none', privileged(), 'needs root and set-user-id')
tap.check('a device at work', expect([blink, '--device=debugcon', guest, '-d'], 0, out='ok\n'))
tap.check('the same, interpreted, in paged memory',
          expect([blink, '-j', '-m', '--device=debugcon', guest, '-d'], 0, out='ok\n'))
tap.done()
