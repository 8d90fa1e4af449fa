# A device built outside of the tree, from the installed headers and the pkg-config file alone.
#   install.py MESON BUILD-ROOT SOURCE-ROOT [BLINK GUEST]
# BLINK runs the static program GUEST with it; without, its entry is looked at.
import ctypes
import os
import shlex
import shutil
import subprocess
import sys

from run import clean, expect, run, scratch, tap

meson, build, source = shlex.split(sys.argv[1]), sys.argv[2], sys.argv[3]
blink, guest = sys.argv[4:6] if len(sys.argv) > 5 else (None, None)

stage = os.path.join(scratch.name, 'stage')
work = os.path.join(scratch.name, 'work')
plugin = os.path.join(work, 'device-stopwatch.so')


def command(words, **options):
    done = run(words, **options)
    if done.returncode:
        yield f'{" ".join(words)}: status {done.returncode}'
        yield from (done.stdout + done.stderr).strip().split('\n')


def find(name):
    for folder, _, files in os.walk(stage):
        if name in files:
            return folder
    return None


def only_headers():
    """What "devel" installs: the public headers, whole, and the pkg-config file."""
    headers = set(os.listdir(os.path.join(source, 'core/include/blink')))
    folder = find('plugin.h')
    if not folder or set(os.listdir(folder)) != headers:
        yield f'installed headers differ from core/include/blink: {folder}'
    if not find('blink.pc'):
        yield 'no blink.pc'


def make(*words, sysroot=stage):
    env = {'PKG_CONFIG_PATH': find('blink.pc'), 'PKG_CONFIG_SYSROOT_DIR': sysroot}
    return command(['make', '-C', work, 'CFLAGS=-O2 -Werror -Wpedantic', *words], env=env)


def pkg_config(variable):
    env = {**clean, 'PKG_CONFIG_PATH': find('blink.pc')}
    return subprocess.run(['pkg-config', f'--variable={variable}', 'blink'], env=env, text=True,
                          capture_output=True, check=True).stdout.strip()


def entry():
    """The plugin is what any host can read: magic, major version, one manifest."""
    magic = ctypes.c_uint64.in_dll(ctypes.CDLL(plugin), 'blink_plugin_entry').value
    if magic.to_bytes(8, 'little') != b'BLNKPLUG':
        yield f'magic is {magic:#x}'


def installed():
    # With a sysroot pkg-config would put it before the plugin folder, too.
    yield from make('install', f'DESTDIR={scratch.name}/root', sysroot='')
    path = f'{scratch.name}/root{pkg_config("plugindir")}/device-stopwatch.so'
    if not os.path.isfile(path):
        yield f'not at {path}'


tap.check('headers and pkg-config file install',
          command([*meson, 'install', '-C', build, '--no-rebuild', '--tags', 'devel', '--destdir',
                   stage]))
tap.check('nothing but the public headers is installed for plugins', only_headers())
shutil.copytree(os.path.join(source, 'docs/examples/stopwatch'), work)
if shutil.which('make') and shutil.which('pkg-config'):
    tap.check('the example builds from them', make())
    tap.check('its entry is there', entry())
    tap.check('make install puts it where blink looks', installed())
    if blink:
        tap.check('blink lists it', expect(
            [blink, '--plugin', plugin, '--list-plugins=json'], 0,
            out=run([blink, '--plugin-dir', work, '--list-plugins=json']).stdout))
        tap.check('a program uses it',
                  expect([blink, '--plugin-dir', work, '--device=stopwatch', guest, '-s'], 0))
        tap.check('a program uses it interpreted, in paged memory',
                  expect([blink, '-j', '-m', f'--plugin={plugin}', '--device=stopwatch', guest,
                          '-s'], 0))
else:
    tap.skip('the example builds from them', 'no make or no pkg-config')
tap.done()
