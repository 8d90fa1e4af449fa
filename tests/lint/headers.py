# Each public header compiles alone, as C11 and as C++17, with all warnings on.
# headers.py INCLUDE-DIR CC [CXX]; CC and CXX may be several words in one argument.
import os
import shlex
import subprocess
import sys

import tap

include, cc = sys.argv[1], shlex.split(sys.argv[2])
cxx = shlex.split(sys.argv[3]) if len(sys.argv) > 3 else None
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wundef', '-Werror']

headers = sorted(h for h in os.listdir(os.path.join(include, 'blink')) if h.endswith('.h'))


def problems(command, header):
    # Twice: the guard has to hold.
    text = f'#include <blink/{header}>\n#include <blink/{header}>\n'
    run = subprocess.run([*command, *WARNINGS, '-fsyntax-only', f'-I{include}', '-'], input=text,
                         capture_output=True, text=True)
    if run.returncode:
        yield from run.stderr.strip().split('\n')


for header in headers:
    tap.check(f'{header} as C11',
              problems([*cc, '-xc', '-std=c11', '-Wstrict-prototypes'], header))
for header in headers:
    if cxx:
        tap.check(f'{header} as C++17', problems([*cxx, '-xc++', '-std=c++17'], header))
    else:
        tap.skip(f'{header} as C++17', 'no C++ compiler')
tap.done()
