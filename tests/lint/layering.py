# Who includes what (docs/ARCHITECTURE.md): the arrows between the parts of core, plugins that know
# the public headers alone, public headers that know each other alone. layering.py SOURCE-ROOT
import os
import re
import sys

import tap

root = sys.argv[1]

# Each part of core and the parts whose headers it may include.
LOWEST = {'fp': set(), 'bus': set(), 'plugin': set()}
CPU = {'cpu': {'fp'}, 'mem': {'cpu'}}
ARROWS = {**LOWEST, **CPU}
ARROWS['interp'] = {'fp', 'cpu', 'mem', 'bus'}
ARROWS['exec'] = ARROWS['interp'] | {'interp'}
ARROWS['machine'] = ARROWS['exec'] | {'exec', 'plugin'}
ARROWS['cli'] = ARROWS['machine'] | {'machine'}

# Folders of plugins: each plugin is one folder below.
PLUGINS = ('plugins', 'loaders', 'devices', 'abi')

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def includes(path):
    return INCLUDE.findall(tap.read(root, path))


def core_files():
    return [p for p in tap.sources(root, '.c', '.h', '.def') if p.startswith('core/')]


def own(path, folder, name):
    """Whether "name" included by path is a file below folder, seen from the file or the folder."""
    for start in (os.path.dirname(path), folder):
        full = os.path.normpath(os.path.join(start, name))
        if full.startswith(folder + '/') and os.path.isfile(os.path.join(root, full)):
            return True
    return False


def public_headers():
    known = {os.path.basename(p) for p in core_files() if p.startswith('core/include/blink/')}
    for path in core_files():
        if not path.startswith('core/include/'):
            continue
        for bracket, name in includes(path):
            if bracket == '"' and name not in known:
                yield f'{path}: includes "{name}", which is no public header'
            if bracket == '<' and '/' in name:
                yield f'{path}: includes <{name}>; public headers need the C library alone'


def core_part(path):
    for bracket, name in includes(path):
        if bracket == '<':
            continue
        part, to = path.split('/')[1], name.split('/')[0]
        if to == part:
            continue
        if '/' not in name or to not in ARROWS:
            yield f'{path}: includes "{name}", which is not written as "part/file.h"'
        elif to not in ARROWS[part]:
            yield f'{path}: includes "{name}", but {part} may not know {to}'


def core_parts():
    for path in core_files():
        part = path.split('/')[1]
        if part == 'include':
            continue
        if part not in ARROWS:
            yield f'{path}: core/{part} is not a part that layering.py knows'
        else:
            yield from core_part(path)


def plugin_folder(path):
    """devices/uart/uart.c -> devices/uart; abi/linux/sys/x.c -> abi/linux."""
    return '/'.join(path.split('/')[:2])


def plugins():
    for path in tap.sources(root, '.c', '.h', '.def'):
        if path.split('/')[0] not in PLUGINS:
            continue
        folder = plugin_folder(path)
        for bracket, name in includes(path):
            if bracket == '"' and not own(path, folder, name):
                yield f'{path}: includes "{name}", which is not in {folder}'


def linux_blink_headers():
    """<blink/...> names a public header that exists."""
    for path in tap.sources(root, '.c', '.h', '.def'):
        for bracket, name in includes(path):
            exists = os.path.isfile(os.path.join(root, 'core/include', name))
            if bracket == '<' and name.startswith('blink/') and not exists:
                yield f'{path}: includes <{name}>, which does not exist'


tap.check('public headers include public headers alone', public_headers())
tap.check('core follows its arrows', core_parts())
tap.check('plugins include public headers and their own folder', plugins())
tap.check('public headers are named rightly', linux_blink_headers())
tap.done()
