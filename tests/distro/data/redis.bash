# A server on loopback, requests of each kind, 10,000 or less, by a client of its own, and its data.
redis-server --bind 127.0.0.1 --port "$PORT" --save '' --dir . --daemonize no >server.log 2>&1 &
server=$!
for ((i = 0; i < 600; i++)); do
    redis-cli -p "$PORT" ping >/dev/null 2>&1 && break
    sleep 0.05
done
redis-benchmark -p "$PORT" -n "$REQUESTS" -q -t set,get,lpush 2>/dev/null | tr '\r' '\n' | grep -o '.*requests per second'
redis-cli -p "$PORT" set key value
redis-cli -p "$PORT" append key ' more'
redis-cli -p "$PORT" eval 'local s = 0; for i = 1, 1000 do s = s + i end; return s' 0
redis-cli -p "$PORT" lpush list a b c
redis-cli -p "$PORT" lrange list 0 -1
redis-cli -p "$PORT" save
redis-cli -p "$PORT" debug sleep 0
redis-cli -p "$PORT" bgsave | cut -c1-10
redis-cli -p "$PORT" shutdown nosave
wait $server
echo "server ended with $?"
