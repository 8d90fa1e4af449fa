#!/usr/bin/env python3
"""Make an Actually Portable Executable of a static ELF program, as the specification has it.

usage: make.py ELF APE
The result is a shell script that also runs natively (it writes the header over the beginning of a
copy of itself), so that the host can be the oracle. Also a module: bad.py spoils what it builds.
"""

import os
import struct
import sys

# Where the ELF file begins in the result: a multiple of every page size in use.
START = 65536

MAGICS = (b"MZqFpD='", b"jartsr='", b"APEDBG='")
EM_X86_64, EM_AARCH64 = 62, 183
PT_LOAD = 1


def octal(data):
    """As the text of a printf: letters as they are, the rest as the shortest escapes that work."""
    out = ""
    for n, byte in enumerate(data):
        following = data[n + 1 : n + 2]
        if chr(byte).isalpha() and byte < 128:
            out += chr(byte)
        elif following and following in b"01234567":
            out += f"\\{byte:03o}"
        else:
            out += f"\\{byte:o}"
    return out.encode()


def statement(header):
    return b"printf '" + octal(header) + b"' >&7\n"


def header_of(elf):
    """The ELF header with the program headers where they will be."""
    header = bytearray(elf[:64])
    struct.pack_into("<Q", header, 32, struct.unpack_from("<Q", header, 32)[0] + START)
    struct.pack_into("<QHHH", header, 40, 0, 0, 64, 56)  # no sections
    header[58:64] = bytes(6)
    return bytes(header)


def moved(elf):
    """The ELF file with offsets as they are from byte START of the result."""
    data = bytearray(elf)
    phoff, = struct.unpack_from("<Q", data, 32)
    phnum, = struct.unpack_from("<H", data, 56)
    for n in range(phnum):
        at = phoff + 56 * n + 8
        struct.pack_into("<Q", data, at, struct.unpack_from("<Q", data, at)[0] + START)
    return bytes(data)


def foreign(header, machine=EM_AARCH64):
    other = bytearray(header)
    struct.pack_into("<H", other, 18, machine)
    return bytes(other)


def ape(elf, magic=MAGICS[0], statements=None, binary=bytes(range(128, 256)) + b"\0\x7f\0"):
    """The whole file. `statements` are the lines that print headers, by default one for another
    machine (which a script chooses by `uname -m`) and the one that counts."""
    header = header_of(elf)
    if statements is None:
        statements = [b"if [ \"$(uname -m)\" = aarch64 ]; then\n", statement(foreign(header)),
                      b"else\n", statement(header), b"fi\n"]
    script = magic + b"\n" + binary + b"\n'\n"
    script += b"t=$(mktemp) || exit 121\ncp \"$0\" \"$t\" || exit 121\nexec 7<> \"$t\" || exit 121\n"
    script += b"printf ''\n" + b"".join(statements)
    script += b"exec 7<&-\nchmod 755 \"$t\"\n\"$t\" \"$@\"\nr=$?\nrm -f \"$t\"\nexit $r\n"
    return script.ljust(START, b"\n") + moved(elf)


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as f:
        elf = f.read()
    with open(target, "wb") as f:
        f.write(ape(elf))
    os.chmod(target, 0o755)


if __name__ == "__main__":
    main()
