# Fifty files, or ten where $SCALE is small, four jobs at once; a second make has nothing to do, a
# touched file makes one again.
set -e
n=$((SCALE < 100 ? 9 : 49))
for ((i = 0; i < n; i++)); do
    echo "int f$i(int x) { return x * $((i * 7 + 1)) + $((i * i)); }" >"f$i.c"
done
{
    echo '#include <stdio.h>'
    for ((i = 0; i < n; i++)); do echo "int f$i(int);"; done
    echo 'int main(void) { unsigned s = 0;'
    for ((i = 0; i < n; i++)); do echo "s = s * 31 + (unsigned)f$i((int)(s % 1000));"; done
    echo 'printf("%u\n", s); return 0; }'
} >main.c
cat >Makefile <<'END'
objects := $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
	$(CC) -o $@ $(sort $^)
%.o: %.c
	$(CC) -O1 -c -o $@ $<
.PHONY: clean
clean:
	rm -f *.o program
END
make -j4 --no-print-directory | sort
./program
make -j4
touch f7.c
make -j4 -n | wc -l
make -s clean
ls
make -s nonsense 2>&1 || echo "status $?"
