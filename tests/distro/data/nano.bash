# An editor on a terminal that a multiplexer emulates: typed into, looked at, saved.
printf 'first line\nsecond line\n' >file
tmux() { command tmux -S "$PWD/socket" -f /dev/null "$@"; }
# Until the screen shows $1.
shows() {
    for ((i = 0; i < 600; i++)); do
        tmux capture-pane -p 2>/dev/null | grep -q -- "$1" && return
        sleep 0.05
    done
    echo "the screen never showed $1:"
    tmux capture-pane -p
}
tmux new-session -d -x 80 -y 24 'PS1="ready> " sh'
shows 'ready>'
tmux send-keys 'nano -I file' Enter
shows 'second line'
tmux send-keys 'typed ' Down End ' end'
shows 'second line end'
tmux capture-pane -p | grep line
tmux send-keys C-o Enter
shows 'Wrote 2 lines'
tmux send-keys C-x
shows 'ready>'
tmux send-keys 'stty size; echo done' Enter
shows '^24 80'
cat file
tmux list-windows -F '#{window_width}x#{window_height} #{window_panes}'
tmux split-window -d 'sleep 100'
tmux list-panes -F '#{pane_height}'
tmux kill-server
echo "status $?"
