# docs/coverage.html says what the differential tester says of itself: the page is made by it.
#
# usage: coverage.py ROOT DIFF [--update]

import os
import subprocess
import sys

import tap

PAGE = 'docs/coverage.html'
SLICE = ['--seed', '1', '--cases', '200']  # that of the test


def main():
    root, diff = sys.argv[1:3]
    path = os.path.join(root, PAGE)
    r = subprocess.run([diff, '--coverage'] + SLICE, stdout=subprocess.PIPE, check=False)
    if r.returncode == 77:
        print(f'1..0 # SKIP {r.stdout.decode().partition("SKIP ")[2].strip()}')
        return
    if '--update' in sys.argv and r.returncode == 0:
        with open(path, 'wb') as page:
            page.write(r.stdout)
        return
    same = os.path.exists(path) and open(path, 'rb').read() == r.stdout
    tap.check('coverage page', [] if r.returncode == 0 and same
              else [f'{PAGE} differs from what the tester says; run ninja update-coverage'])
    tap.done()


main()
