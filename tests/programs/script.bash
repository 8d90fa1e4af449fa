# What bash does that people rely on: expansions, arrays, arithmetic, subshells, pipes, traps,
# here-documents, process substitution, job control. The output is the same wherever it runs.
set -u
shopt -s extglob nullglob

section() { printf '== %s\n' "$*"; }

section arrays
numbers=(5 3 9 1 7 2 8)
declare -A colour=([sky]=blue [grass]=green [snow]=white)
echo "${#numbers[@]} ${numbers[*]:2:3} ${numbers[-1]} ${!numbers[*]}"
for key in $(printf '%s\n' "${!colour[@]}" | sort); do echo "$key=${colour[$key]}"; done
numbers+=(4 6)
unset 'numbers[0]'
mapfile -t sorted < <(printf '%s\n' "${numbers[@]}" | sort -n)
echo "${sorted[@]}"

section arithmetic
echo $((2 ** 40 % 97)) $((0x7fffffffffffffff + 1)) $((-7 / 2)) $((-7 % 3)) $((1 << 62))
for ((i = 0, sum = 0; i < 1000; i++)); do ((sum += i * i % 13)); done
echo "sum $sum $((sum > 5 ? 16#ff : 2#1010)) $((i++ + ++i))"
fib() { (($1 < 2)) && echo "$1" || echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); }
echo "fib 8 = $(fib 8)"

section strings
path=/usr/share/doc/readme.tar.gz
echo "${path##*/} ${path%/*} ${path%%.*} ${path/share/local} ${#path} ${path:5:5} ${path^^}"
text='the quick  brown fox'
read -r -a words <<<"$text"
echo "${#words[@]} ${words[2]} ${text//o/0} ${text@Q}"
[[ $path =~ ^/([a-z]+)/(.*)\.gz$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
[[ foo.c == *.@(c|h) ]] && echo matched
printf '%05d|%-8s|%x|%q|%s\n' 42 left 255 'a b$c' "$(printf '\x41\102')"
echo {a..e}{1..3} {10..1..3}

section subshells and pipes
value=outer
(value=inner; cd /; echo "$value $PWD")
echo "$value"
seq 1 2000 | while read -r n; do ((n % 500)) || echo "line $n"; done
echo one two three | { read -r first rest; echo "$rest $first"; }
false | true; echo "status $? ${PIPESTATUS[*]}"
set -o pipefail; false | true; echo "pipefail $?"; set +o pipefail
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); echo "diff $?"
coproc CAT { cat; }
echo "through a coprocess" >&"${CAT[1]}"
read -r line <&"${CAT[0]}"; echo "$line"
exec {CAT[1]}>&-; wait "$CAT_PID"; echo "coprocess $?"

section here-documents
cat <<END
  expanded $value $((6 * 7)) $(echo command)
END
cat <<-'END'
	not expanded $value $(echo command)
	END
tr a-z A-Z <<<"a here-string"

section traps
trap 'echo "caught USR1"' USR1
kill -USR1 $$
(trap 'echo "subshell ends with $?"' EXIT; exit 3); echo "status $?"
bash_child() { trap 'echo "child: term"; exit 9' TERM; kill -TERM "$BASHPID"; echo "never"; }
(bash_child); echo "status $?"
(kill -KILL "$BASHPID"); echo "killed: $?"
trap 'echo "error at $((LINENO > 0))"' ERR
false
trap - ERR USR1

section jobs
set -m
sleep 1 & sleep 1.2 &
jobs -l | sed 's/ *[0-9]\{2,\}/ PID/'
wait %1; echo "first $?"
wait; echo "all $?"
(exit 7) & wait $!; echo "background $?"
sleep 20 & kill -STOP %+; sleep 0.1; jobs | tr -s ' '
kill -CONT %+; kill %+; wait %+ 2>/dev/null; echo "terminated $?"
pids=() total=0
for n in 1 2 3 4 5; do (exit $n) & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; ((total += $?)); done; echo "total $total"
set +m
{ echo background; } & wait

section functions and redirections
outer() { local x=1; inner; local r=$?; echo "x=$x"; return $r; }
inner() { x=2; return 4; }
outer; echo "returned $?"
exec 5>"$TMPDIR/out"; echo "to five" >&5; exec 5>&-; cat "$TMPDIR/out"
{ echo out; echo err >&2; } 2>&1 | sort
(echo "$BASH_SUBSHELL"; (echo "$BASH_SUBSHELL"))
cd "$TMPDIR" && : >a.c && : >b.c && : >c.h && echo *.c *.none [[:alpha:]].h
select word in yes no; do echo "chose $word"; break; done <<<2 2>/dev/null
set -- "x y" z; eval 'for v in "$@"; do echo "[$v]"; done'
getopts ab: option -b value; echo "$option $OPTARG"
umask 027; umask; ulimit -c; type -t section printf if
while :; do break; done; until false; do break; done; echo "loops $?"
timeout 5 true; echo "end $?"
exit 17
