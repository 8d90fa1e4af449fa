# A long script: what bash offers, and programs of its own that count, sort, search and parse.
set -u
shopt -s extglob lastpipe 2>/dev/null

section() { printf '== %s\n' "$*"; }

section sieve
limit=2000
for ((i = 2; i <= limit; i++)); do prime[i]=1; done
for ((i = 2; i * i <= limit; i++)); do
    if ((prime[i])); then
        for ((j = i * i; j <= limit; j += i)); do prime[j]=0; done
    fi
done
count=0
for ((i = 2; i <= limit; i++)); do ((count += prime[i])) || :; done
echo "$count primes below $limit"

section sorting
quicksort() {
    local pivot left=() right=() x
    (($# < 2)) && { echo "$@"; return; }
    pivot=$1
    shift
    for x in "$@"; do
        if ((x < pivot)); then left+=("$x"); else right+=("$x"); fi
    done
    echo $(quicksort "${left[@]}") "$pivot" $(quicksort "${right[@]}")
}
numbers=()
seed=42
for ((i = 0; i < 60; i++)); do
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    numbers+=($((seed % 1000)))
done
quicksort "${numbers[@]}"
printf '%s\n' "${numbers[@]}" | sort -n | paste -sd' '

section words
declare -A seen=()
while read -r -a words; do
    for word in "${words[@]}"; do
        word=${word,,}
        word=${word//[^a-z]/}
        [[ $word ]] && seen[$word]=$((${seen[$word]:-0} + 1))
    done
done <<'END'
It was the best of times, it was the worst of times, it was the age of wisdom,
it was the age of foolishness, it was the epoch of belief, it was the epoch of
incredulity, it was the season of Light, it was the season of Darkness.
END
for word in "${!seen[@]}"; do echo "${seen[$word]} $word"; done | sort -k1,1nr -k2 | head -n 6

section towers
moves=0
hanoi() {
    (($1 == 0)) && return
    hanoi $(($1 - 1)) "$2" "$4" "$3"
    moves=$((moves + 1))
    hanoi $(($1 - 1)) "$4" "$3" "$2"
}
hanoi 9 a b c
echo "$moves moves"

section parser
tokens=() position=0
factor() {
    local token=${tokens[position]}
    position=$((position + 1))
    if [[ $token == '(' ]]; then
        expression
        position=$((position + 1))
    else
        value=$token
    fi
}
term() {
    local left
    factor
    while [[ ${tokens[position]:-} == [*/%] ]]; do
        left=$value op=${tokens[position]}
        position=$((position + 1))
        local saved=$op
        factor
        value=$((left $saved value))
    done
}
expression() {
    local left saved
    term
    while [[ ${tokens[position]:-} == [+-] ]]; do
        left=$value saved=${tokens[position]}
        position=$((position + 1))
        term
        value=$((left $saved value))
    done
}
for text in '1 + 2 * 3' '( 1 + 2 ) * 3' '100 / ( 7 - 2 ) % 6 - 4 * 3' '( ( 8 ) )'; do
    set -f
    tokens=($text) position=0 value=0
    set +f
    expression
    echo "$text = $value"
done

section processes
for i in 1 2 3 4; do (exit $((i * 3))) & pids[i]=$!; done
for i in 4 2 1 3; do wait "${pids[i]}"; echo "child $i ended with $?"; done
coproc adder { while read -r a b; do echo $((a + b)); done; }
for pair in '1 2' '30 40' '-5 5'; do
    echo "$pair" >&"${adder[1]}"
    read -r sum <&"${adder[0]}"
    echo "$pair: $sum"
done
exec {adder[1]}>&-
wait
diff <(seq 1 5) <(seq 1 2 5; echo 6)
echo "diff said $?; ${PIPESTATUS[*]}"
set -o pipefail
seq 1 100000 | head -n 1
false | true
echo "pipe $?"
set +o pipefail

section traps
trap 'echo "got USR1"' USR1
kill -USR1 $$
(trap 'echo "subshell leaves"' EXIT; exit 3)
echo "status $?"
(sleep 5 & child=$!; trap 'kill $child; echo interrupted; exit 9' TERM; kill -TERM $BASHPID; wait)
echo "status $?"
{ (kill -9 $BASHPID); } 2>/dev/null
echo "killed: $?"
on_error() { echo "line failed with $1"; }
(set -E; trap 'on_error $?' ERR; false; (exit 7); true)

section files
folder=$(mktemp -d)
for i in {01..20}; do printf '%s\n' "$i" >"$folder/file-$i.txt"; done
cd "$folder" || exit
printf '%s ' file-@(0[1-3]|2?).txt !(file-*)
echo
cat file-1*.txt | while read -r line; do ((sum += 10#$line)); done
echo "sum ${sum}"
exec 7<>scratch
echo "line one" >&7
read -r line <scratch
echo "$line"
exec 7>&-
[[ scratch -nt nothing && -s scratch && ! -x scratch ]] && echo "tests agree"
umask 077
: >private
stat -c %a private
cd / && rm -r "$folder"

section options
parse() {
    local OPTIND option
    while getopts :ab:c option; do
        case $option in
        a | c) echo "option $option" ;;
        b) echo "option b with $OPTARG" ;;
        :) echo "$OPTARG lacks its argument" ;;
        *) echo "unknown $OPTARG" ;;
        esac
    done
    shift $((OPTIND - 1))
    echo "rest: $*"
}
parse -a -b value -cx -- one two
parse -b

section printing
printf '%-10s|%5.2f|%#x|%+d|%c\n' text 3.14159 255 7 z
printf -v joined '%s,' a b c
echo "${joined%,} ${joined^^} ${joined:2:1} ${joined//,/;}"
printf '%(%Y-%m-%d)T\n' 86400
IFS=: read -r user _ id _ <<<'root:x:0:0'
echo "$user $id"
big=
for ((i = 0; i < 3000; i++)); do big+=$((i % 10)); done
echo "${#big} ${big: -5} $(printf %s "$big" | sha256sum)"
exit 17
