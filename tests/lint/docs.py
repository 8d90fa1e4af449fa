# The documents say what is there: the guide's device is the example and short, each rule of the
# plugin interface names tests that exist, links lead to files. docs.py SOURCE-ROOT
import os
import re
import subprocess
import sys

import tap

root = sys.argv[1]
DEVICE_LINES_MAX = 59


def guide():
    example = tap.read(root, 'docs/examples/stopwatch/stopwatch.c')
    blocks = re.findall(r'```c\n(.*?)```', tap.read(root, 'docs/PLUGIN-GUIDE.md'), re.S)
    if example not in blocks:
        yield 'PLUGIN-GUIDE.md: its device differs from docs/examples/stopwatch/stopwatch.c'
    for name in ('stopwatch', 'fifo'):
        lines = tap.read(root, f'docs/examples/{name}/{name}.c').count('\n')
        if lines > DEVICE_LINES_MAX:
            yield f'{name}.c: {lines} lines; the guide promises fewer than 60'


def all_tests():
    names = {os.path.basename(p) for p in tap.sources(root, '.py') if p.startswith('tests/')}
    for path in tap.sources(root, '.c'):
        if path.startswith('tests/'):
            names.update(re.findall(r'^static void (test_\w+)\(void \*\*', tap.read(root, path), re.M))
    return names


def rules():
    known = all_tests()
    text = tap.read(root, 'docs/PLUGIN-ABI.md')
    parts = re.split(r'^(\d+)\. ', text, flags=re.M)
    numbers = [int(n) for n in parts[1::2]]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f'PLUGIN-ABI.md: rules are not numbered in order: {numbers}'
    for number, rule in zip(numbers, parts[2::2]):
        rule = rule.split('\n## ')[0]
        claims = re.findall(r'Test:\s((?:\s*`[\w.]+`,?)+)', rule)
        tests = [t for claim in claims for t in re.findall(r'`([\w.]+)`', claim)]
        if not tests:
            yield f'PLUGIN-ABI.md: rule {number} names no test'
        for test in tests:
            if test not in known:
                yield f'PLUGIN-ABI.md: rule {number} names {test}, which does not exist'


def links():
    for path in tap.sources(root, '.md'):
        for target in re.findall(r'\]\(([^)#\s]+)\)', tap.read(root, path)):
            if '://' in target:
                continue
            if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                yield f'{path}: link to {target}, which does not exist'


tap.check('the device of the guide is the example', guide())
tap.check('each rule of the plugin interface has its test', rules())
def font():
    header = os.path.join(root, 'core/include/blink/font.h')
    run = subprocess.run([sys.executable, os.path.join(root, 'core/font/font.py'), '--check', header],
                         capture_output=True, text=True)
    if run.returncode:
        yield run.stderr.strip()


tap.check('links lead to files', links())
tap.check('the font is what its script makes', font())
tap.done()
