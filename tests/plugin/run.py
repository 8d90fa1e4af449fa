# What the tests through the executable share: running it, and an empty folder.
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lint'))
import tap  # noqa: E402,F401

# A plugin folder of the person who runs the tests must not be found.
scratch = tempfile.TemporaryDirectory(prefix='blink-test-')
clean = {k: v for k, v in os.environ.items() if k != 'BLINK_PLUGIN_PATH'}
clean.update(HOME=scratch.name, XDG_DATA_HOME=os.path.join(scratch.name, 'data'), LC_ALL='C')


def run(command, **options):
    env = {**clean, **options.pop('env', {})}
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=180, env=env,
                              stdin=subprocess.DEVNULL, **options)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 'timeout', '', '')


def expect(command, status, out='', err='', **options):
    """Problems: how the run differs from this exit status and these outputs."""
    done = run(command, **options)
    for what, wanted, got in (('status', status, done.returncode), ('stdout', out, done.stdout),
                              ('stderr', err, done.stderr)):
        if wanted != got:
            yield f'{" ".join(command)}: {what} is {got!r}, not {wanted!r}'
