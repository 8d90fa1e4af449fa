# Handlers of the interpreter that go on to the next by a real call instead of a jump. Each execution
# then leaves a frame on the host's stack until the block is left, and chained blocks are not left:
# such a handler must end with NEXT_BY_DRIVER().
# siblings.py OBJDUMP SIZE-OF-INSN LIBRARY.a...
import os
import re
import subprocess
import sys

import tap

objdump, size, libraries = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

# Through the handler, first in the record after this one.
CALL = re.compile(rf'\bcall\s+\*{size:#x}\(%r\w+\)')
JUMP = re.compile(rf'\bjmp\s+\*{size:#x}\(%r\w+\)')


def problems(library):
    text = subprocess.run([objdump, '-d', '--no-show-raw-insn', library], capture_output=True,
                          text=True, check=True).stdout
    part = name = ''
    jumps, found = 0, {}
    for line in text.splitlines():
        if 'file format' in line:
            part = line.split(':')[0].rsplit('.p/', 1)[-1]
        elif line.endswith('>:'):
            name = line.split('<')[1][:-2]
        elif CALL.search(line):
            found.setdefault(part, set()).add(name)
        elif JUMP.search(line):
            jumps += 1
    for part, names in sorted(found.items()):
        yield f"{part}: {', '.join(sorted(names))}"
    if jumps < 100:
        yield f'only {jumps} jumps to a next handler: this is not the interpreter as it should be'


for library in libraries:
    tap.check(f'{os.path.basename(library)}: handlers end by a jump', problems(library))
tap.done()
