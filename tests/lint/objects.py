# What the compiled parts show: a plugin exports its entry and nothing else and takes nothing from
# the executable; plugins can be linked together; nothing mutable is global.
# objects.py NM BUILD-ROOT PLUGIN.so...
import os
import subprocess
import sys

import tap

nm, build, plugins = sys.argv[1], sys.argv[2], sys.argv[3:]
ENTRY = 'blink_plugin_entry'

# Mutable objects that DESIGN allows: the command line's own, and what the signal trampoline needs
# to find its vCPU, since a handler has no argument.
MUTABLE_PARTS = ('core/cli/', 'core/exec/')


def symbols(*paths, options=()):
    """(name, type, section) of each symbol."""
    out = subprocess.run([nm, '-f', 'sysv', *options, *paths], capture_output=True, text=True,
                         check=True).stdout
    for line in out.split('\n'):
        column = [c.strip() for c in line.split('|')]
        if len(column) == 7 and column[0] != 'Name':
            yield column[0], column[2], column[6]


def exports():
    for path in plugins:
        names = {name.split('@')[0] for name, _, _ in symbols(path, options=('-D', '--defined-only'))}
        # Marks that linkers put there themselves.
        names -= {'_init', '_fini', '_edata', '_end', '__bss_start'}
        if names != {ENTRY}:
            yield f"{path}: exports {', '.join(sorted(names)) or 'nothing'}; " \
                  f'only {ENTRY} belongs there'


def taken():
    for path in plugins:
        for name, _, _ in symbols(path, options=('-D', '--undefined-only')):
            if name.startswith('blink_'):
                yield f'{path}: takes {name} from the executable'


def objects(folder):
    for where, _, files in os.walk(folder):
        for name in files:
            if name.endswith('.o'):
                yield os.path.join(where, name)


def all_symbols(folder, *options):
    """The same of every object below a folder, at one go."""
    paths = list(objects(folder))
    if paths:
        for name, kind, section in symbols(*paths, options=options):
            yield name, kind, section


def clashes():
    """Two plugins, or a plugin and core, with a function of one name: linked together, one would
    call the other's."""
    seen = {}
    for path in [os.path.join(build, 'core'), *plugins]:
        folder = path if path.endswith('core') else path + '.p'
        for name, _, _ in all_symbols(folder, '-g', '--defined-only'):
            name = name.split('@')[0]
            other = seen.setdefault(name, path)
            if other != path and name != ENTRY:
                yield f'{name}: in {os.path.basename(other)} and {os.path.basename(path)}; ' \
                      f'rename one, -Dplugins=builtin links both'


def mutable():
    places = [(p, p + '.p') for p in plugins]
    places.append(('core', os.path.join(build, 'core')))
    for _, folder in places:
        for obj in objects(folder):
            short = os.path.relpath(obj, build)
            if short.startswith(MUTABLE_PARTS):
                continue
            for name, _, section in symbols(obj, options=['--defined-only']):
                kind = section.split('.')[1] if section.startswith('.') else section
                relro = section.startswith('.data.rel.ro')
                if kind in ('data', 'bss', 'tdata', 'tbss', '*COM*') and not relro:
                    if name and not name.startswith('.'):
                        yield f'{short}: {name} is mutable and global ({section})'


tap.check('plugins export their entry alone', exports())
tap.check('plugins take nothing from the executable', taken())
tap.check('plugins can be linked together', clashes())
tap.check('nothing mutable is global', mutable())
tap.done()
