# The layout of every public struct: size, and offset and size of each field, against layout.txt,
# so that a change of the plugin ABI is noticed; and the types that may not stand in one.
#   layout.py INCLUDE-DIR CC GOLDEN            compare
#   layout.py INCLUDE-DIR CC GOLDEN --update   write the golden file anew (ninja update-layout)
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile

import tap

include, cc, golden = sys.argv[1], shlex.split(sys.argv[2]), sys.argv[3]
update = '--update' in sys.argv[4:]
headers = sorted(h for h in os.listdir(os.path.join(include, 'blink')) if h.endswith('.h'))

# An aggregate definition of ours: "struct blink_x { ... };" without braces inside.
AGGREGATE = re.compile(r'\b(struct|union)\s+(blink_\w+)\s*\{([^{}]*)\}\s*;')
FORBIDDEN = re.compile(r'\b(enum|long|bool|_Bool|va_list|time_t|off_t|wchar_t|FILE)\b')


def run(command, text):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def preprocessed():
    text = ''.join(f'#include <blink/{h}>\n' for h in headers)
    return run([*cc, '-xc', '-std=c11', '-E', '-P', f'-I{include}', '-'], text)


def field_names(member):
    """Names a member declaration declares: "int (*f)(int a)", "uint64_t a, b[4]"."""
    function = re.search(r'\(\s*\*\s*(\w+)\s*\)\s*\(', member)
    if function:
        return [function.group(1)]
    return [re.search(r'(\w+)\s*(\[[^\]]*\]\s*)*$', part.strip()).group(1)
            for part in member.split(',')]


def aggregates(text):
    """(keyword, name, [(member text, [names])]) of each public struct, in order."""
    for keyword, name, body in AGGREGATE.findall(text):
        members = [' '.join(m.split()) for m in body.split(';') if m.strip()]
        yield keyword, name, [(m, field_names(m)) for m in members]


def forbidden(found):
    for keyword, name, members in found:
        for member, _ in members:
            word = FORBIDDEN.search(member)
            if word:
                yield f'{keyword} {name}: "{member}": {word.group(1)} has no fixed layout'
            if re.search(r':\s*\d+$', member):
                yield f'{keyword} {name}: "{member}": bit-field'


def starts_with_size(found):
    """Structs that cross the boundary begin with their size; plain values inside others do not."""
    VALUES = {'blink_operand', 'blink_insn', 'blink_seg', 'blink_dtr', 'blink_f80', 'blink_ymm',
              'blink_tlb', 'blink_mem_span', 'blink_need', 'blink_plugin_entry'}
    for keyword, name, members in found:
        first = members[0][0]
        nested = first == 'struct blink_plugin_ops plugin'
        if name not in VALUES and first != 'uint32_t struct_size' and not nested:
            yield f'{keyword} {name}: begins with "{first}", not with uint32_t struct_size'


def missed(text, found):
    """Definitions the simple pattern did not understand."""
    known = {name for _, name, _ in found}
    for name in re.findall(r'\b(?:struct|union)\s+(blink_\w+)\s*\{', text):
        if name not in known:
            yield f'{name}: not understood by layout.py; write it without nested braces'


def measured(found):
    lines = ['#include <stddef.h>', '#include <stdio.h>']
    lines += [f'#include <blink/{h}>' for h in headers]
    lines += ['int main(void) {']
    for keyword, name, members in found:
        whole = f'{keyword} {name}'
        lines.append(f'printf("{whole} size %zu align %zu\\n", sizeof({whole}), '
                     f'_Alignof({whole}));')
        for _, names in members:
            for field in names:
                lines.append(f'printf("  %5zu %5zu {field}\\n", offsetof({whole}, {field}), '
                             f'sizeof((({whole} *)0)->{field}));')
    lines += ['return 0;', '}', '']
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, 'layout')
        run([*cc, '-xc', '-std=c11', f'-I{include}', '-', '-o', program], '\n'.join(lines))
        return run([program], '')


def pointer_size():
    return int(run([*cc, '-xc', '-E', '-P', '-'], '__SIZEOF_POINTER__').strip())


def differences(now):
    with open(golden, encoding='utf-8') as file:
        before = file.read()
    yield from difflib.unified_diff(before.split('\n'), now.split('\n'), 'layout.txt', 'now', n=2,
                                    lineterm='')


text = preprocessed()
found = list(aggregates(text))
if update:
    with open(golden, 'w', encoding='utf-8') as file:
        file.write(measured(found))
    sys.exit(0)

tap.check('every public struct is understood', missed(text, found))
tap.check('public structs hold types of fixed layout', forbidden(found))
tap.check('public structs begin with their size', starts_with_size(found))
if pointer_size() == 8:
    tap.check('the layout is that of layout.txt; see docs/ABI-CHANGES.md',
              differences(measured(found)))
else:
    tap.skip('the layout is that of layout.txt', 'layout.txt is of 64-bit hosts')
tap.done()
