# A server with two workers on loopback: 10,000 requests, or less, over kept connections, a reload, an end.
mkdir -p site logs
seq 1 20000 >site/numbers
printf '<p>hello\n' >site/index.html
cat >conf <<END
daemon off;
worker_processes 2;
user $(id -un) $(id -gn);
pid $PWD/pid;
error_log $PWD/logs/error;
events { worker_connections 200; }
http {
    access_log $PWD/logs/access combined buffer=64k;
    client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2; fastcgi_temp_path $PWD/t3;
    uwsgi_temp_path $PWD/t4; scgi_temp_path $PWD/t5;
    keepalive_requests 100000;
    sendfile on;
    gzip on; gzip_min_length 1; gzip_types text/plain;
    server {
        listen 127.0.0.1:$PORT;
        root $PWD/site;
        location /text { default_type text/plain; return 200 "\$request_method \$arg_n\n"; }
        location /gone { return 410; }
        location /proxy/ { proxy_pass http://127.0.0.1:$PORT/; }
    }
}
END
nginx -e "$PWD/logs/error" -t -q -c "$PWD/conf" || exit
nginx -e "$PWD/logs/error" -c "$PWD/conf" &
server=$!
client() { python3 "$DATA/client.py" "$PORT" "$@"; }
client 40 4 / /numbers '/text?n=5' /gone /proxy/index.html /nowhere /numbers+gzip
client "$REQUESTS" 20 / '/text?n=7'
sed -i 's/return 410/return 403/' conf
kill -HUP $server
for ((i = 0; i < 600; i++)); do
    answer=$(client 1 1 /gone 2>/dev/null)
    [[ $answer == *403* ]] && break
    sleep 0.05
done
echo "$answer"
kill -QUIT $server
wait $server
echo "server ended with $?"
grep -c '"GET / HTTP' logs/access
grep -v notice logs/error | grep -v 'site/nowhere'
ls
