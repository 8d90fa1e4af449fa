# A tree packed, compressed, unpacked and compared.
set -e
mkdir -p tree/a/b tree/empty
seq 1 30000 >tree/numbers
head -c 300000 /dev/zero >tree/a/zeros
for i in {1..100}; do echo "text $i" >"tree/a/b/$i"; done
ln -s ../numbers tree/a/link
ln tree/numbers tree/hard
chmod 600 tree/a/zeros
chmod 755 tree/a/b/7
touch -d @1000000000 tree/numbers
tar cf - tree | xz -T2 -3 | xz -d | (mkdir out && tar xf - -C out)
diff -r tree out/tree && echo same
stat -c '%a %Y %h %s' out/tree/numbers out/tree/a/zeros | sed 2s/' [0-9]* '/' T '/
readlink out/tree/a/link
tar cJf tree.tar.xz --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner tree
tar tvf tree.tar.xz | head -n 5 | cut -c1-10,48-
xz -l --robot tree.tar.xz | grep -c ^file
tar czf - tree | gzip -dc | tar tf - | sort | tail -n 3
tar cf - tree | bzip2 | bunzip2 | tar xOf - tree/numbers | sha256sum
head -c 1000 tree.tar.xz | xz -dc >/dev/null 2>&1 || echo "truncated: $?"
