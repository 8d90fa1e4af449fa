# What a reader meets in every source file: its purpose on top, a length that can be read, include
# guards, plain text, the formatting of .clang-format. style.py SOURCE-ROOT
import os
import re
import shutil
import subprocess
import sys

import tap

root = sys.argv[1]
LINES_MAX = 800
# Formatting differs between major versions of the tool; this one is the reference.
FORMATTER_VERSION = '14'

code = tap.sources(root, '.c', '.h')


def too_long():
    for path in code:
        lines = tap.read(root, path).count('\n')
        if lines > LINES_MAX:
            yield f'{path}: {lines} lines; split it by purpose, {LINES_MAX} is the limit'


def no_purpose():
    for path in code + tap.sources(root, '.def', '.c.in'):
        if not tap.read(root, path).startswith('/*'):
            yield f'{path}: does not open with a comment that says what it is for'
    for path in tap.sources(root, '.py', '.sh'):
        text = tap.read(root, path)
        if not re.match(r'(#!.*\n)?(# |""")', text):
            yield f'{path}: does not open with a comment that says what it is for'


def bad_text():
    for path in tap.sources(root, '.c', '.h', '.def', '.py', '.sh', '.md', 'meson.build'):
        text = tap.read(root, path)
        if '\r' in text:
            yield f'{path}: carriage return'
        if '\t' in text and not path.endswith(('.md', 'Makefile')):
            yield f'{path}: tabulator'
        if text and not text.endswith('\n'):
            yield f'{path}: no newline at the end'
        for number, line in enumerate(text.split('\n'), 1):
            if line != line.rstrip():
                yield f'{path}:{number}: space at the end of the line'


def header_guards():
    for path in code:
        if path.endswith('.h') and not re.search(r'^#ifndef (\w+)\n#define \1\n', tap.read(root, path),
                                                 re.M):
            yield f'{path}: no include guard'


def formatter():
    for name in (f'clang-format-{FORMATTER_VERSION}', 'clang-format'):
        path = shutil.which(name)
        if not path:
            continue
        says = subprocess.run([path, '--version'], capture_output=True, text=True).stdout
        if re.search(rf'version {FORMATTER_VERSION}\.', says):
            return path
    return None


def unformatted(tool):
    run = subprocess.run([tool, '--dry-run', '-Werror', '--ferror-limit=1', *code], cwd=root,
                         capture_output=True, text=True)
    names = {line.split(':')[0] for line in run.stderr.split('\n') if 'error:' in line}
    for name in sorted(names):
        yield f'{name}: not formatted; run ./dev format'
    if run.returncode and not names:
        yield run.stderr.strip()


tap.check(f'no source file has more than {LINES_MAX} lines', too_long())
tap.check('every source file says what it is for', no_purpose())
tap.check('text files are plain', bad_text())
tap.check('headers have include guards', header_guards())
tool = formatter()
if tool:
    tap.check('sources are formatted', unformatted(tool))
else:
    tap.skip('sources are formatted', f'no clang-format {FORMATTER_VERSION}')
tap.done()
