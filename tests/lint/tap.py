# What the checks of the sources share: the test-anything protocol, and which files are sources.
import os
import subprocess
import sys

count = 0
failed = False


def check(name, problems):
    """One test: passes if there are no problems, else shows them."""
    global count, failed
    problems = list(problems)
    count += 1
    for problem in problems:
        print('#', problem)
    print(f"{'not ok' if problems else 'ok'} {count} - {name}")
    failed = failed or bool(problems)


def skip(name, reason):
    global count
    count += 1
    print(f'ok {count} - {name} # SKIP {reason}')


def done():
    print(f'1..{count}')
    sys.exit(1 if failed else 0)


def sources(root, *endings):
    """Paths below root, relative, of files that belong to the repository."""
    try:
        listed = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard', '-z'],
                                capture_output=True, check=True).stdout.decode().split('\0')
    except (OSError, subprocess.CalledProcessError):
        # A release archive: everything but build directories.
        listed = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if not f.startswith(('.', 'build'))]
            listed += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(p for p in listed
                  if p.endswith(endings) and os.path.isfile(os.path.join(root, p)))


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()
