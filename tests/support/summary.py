#!/usr/bin/env python3
"""Totals of a `meson test` run, counted by case, not by program.

Reads Meson's testlog.json. A test that speaks TAP counts each of its cases; any other counts
once. Prints a line for each failure and each skip with its reason, and last
"N passed, N failed, N skipped". Exits 1 if anything failed or nothing ran.
"""

import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b\s*(\d*)\s*(?:-\s*)?(.*?)(?:\s*#\s*(SKIP|TODO)\b\s*(.*))?$", re.I)


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.skips = []

    def add_case(self, test, match, comment):
        """`comment` is the last line of explanation before it. cmocka has its reasons there, and
        the name of the case where others have the reason."""
        bad, number, name, directive, reason = match.groups()
        if directive and directive.upper() == "SKIP":
            if not name:
                name, reason = reason, comment
            self.skipped += 1
            self.skips.append(f"{test}: {name or number}: {reason or comment or 'no reason given'}")
        elif bad and not directive:
            self.failed += 1
            self.failures.append(f"{test}: {name or number}")
        else:
            self.passed += 1

    def add_test(self, entry):
        name, result = entry["name"], entry["result"]
        before = self.failed
        cases, comment = 0, ""
        for line in entry.get("stdout", "").splitlines():
            match = CASE.match(line)
            if match:
                cases += 1
                self.add_case(name, match, comment)
            comment = line[1:].strip() if line.startswith("#") and not match else ""
        if result in ("OK", "EXPECTEDFAIL"):
            if not cases:
                self.passed += 1
        elif result == "SKIP":
            if not cases:
                self.skipped += 1
                self.skips.append(f"{name}: {first_line(entry)}")
        elif self.failed == before:
            # It died, hung or broke the protocol: that is a failure of its own.
            self.failed += 1
            self.failures.append(f"{name}: {result.lower()}, status {entry.get('returncode')}")


def first_line(entry):
    for line in (entry.get("stdout", "") + entry.get("stderr", "")).splitlines():
        if line.startswith("1..0"):
            line = line.partition("#")[2].strip()
            line = line[4:].strip() if line[:4].upper() == "SKIP" else line
        if line.strip():
            return line.strip()
    return "no reason given"


def main(path):
    totals = Totals()
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            for line in log:
                totals.add_test(json.loads(line))
    except OSError as error:
        totals.failed += 1
        totals.failures.append(f"no test log: {error}")
    for line in totals.skips:
        print(f"skipped: {line}")
    for line in totals.failures:
        print(f"failed: {line}")
    print(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped")
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
