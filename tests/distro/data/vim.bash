# An editing session without a screen: substitutions, registers, macros, undo, expressions.
seq 1 50 >file
cat >session.vim <<'END'
%s/\v^(\d*)7$/seven \1/
global/^1/normal! Aone
2,4move $
let @q = 'Iquoted "'
normal! ggV3jd
normal! Gp
5normal! @q
call append('$', map(range(3), {i, v -> 'line ' . string(v * 1.5)}))
silent! undo
silent! redo
call setline(1, join(sort(['pear', 'apple', 'fig']), ','))
call append(0, printf('%05.2f %x %s', 3.14159, 255, toupper('text')))
call append(0, system('tr a-z A-Z', 'from a filter'))
%!cat -n
write result
quitall!
END
vim -es -u NONE -i NONE -N -S session.vim file </dev/null
echo "status $?"
cat result
printf 'hello\n' >other
vim -es -u NONE -i NONE -N +'%s/hello/world/' +'wq' other </dev/null
echo "status $?"
cat other
