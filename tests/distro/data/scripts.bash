# Scripts that the kernel starts by their first line.
folder=$(mktemp -d)
cd "$folder" || exit
printf '#!/bin/sh\necho "sh: $0 $*"\nexit 3\n' >plain
printf '#! /usr/bin/perl -w\nprint "perl: $0 @ARGV\\n"; exit 4;\n' >with-option
printf '#!/usr/bin/env perl\nprint "env: @ARGV $^X\\n";\n' >with-env
printf '#!./plain inner\n' >nested
printf '#!/nonexistent\n' >nowhere
printf 'echo "no first line: $1"\n' >bare
printf '#!/usr/bin/awk -f\nBEGIN { print "awk", 6 * 7 }\n' >awkward
chmod +x ./*
for script in plain with-option with-env nested bare awkward; do
    "./$script" one 'two  words'
    echo "$script: $?"
done
./nowhere 2>/dev/null
echo "nowhere: $?"
PATH=$folder:$PATH plain by-path | sed "s|$folder/||"
ln -s plain link && ./link
env -i "$folder/plain" clean | sed "s|$folder/||"
chmod -x plain && ./plain 2>/dev/null
echo "not executable: $?"
cd / && rm -r "$folder"
