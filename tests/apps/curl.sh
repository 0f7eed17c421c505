#!/bin/sh
# curl.sh - Debian's curl inside, its server outside: downloads, an upload, ranges, names from DNS that do not exist, HTTPS.
. tests/apps/lib
make_www
port=$(free_port)
cat >server.py <<'P'
import hashlib, http.server, sys, os
os.chdir("www")
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = hashlib.sha256(body).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
P
python3 server.py "$port" >server.log 2>&1 &
pids="$pids $!"
wait_host() { for _ in $(seq 1 100); do curl -sf "http://127.0.0.1:$port/small" >wait.out && return; sleep 0.1; done; }
wait_host
tls=$(free_port 2)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=host.test -addext subjectAltName=DNS:host.test -keyout key.pem -out cert.pem 2>openssl.log
(cd www && exec openssl s_server -accept "127.0.0.1:$tls" -key ../key.pem -cert ../cert.pem -WWW -quiet) >tls.log 2>&1 &
pids="$pids $!"
url=http://10.0.2.2:$port

inside() { # ARG...: curl's output in out, its status in $status
    status=0
    VM_SECONDS=200 vm "$on" "$@" >out 2>err </dev/null || status=$?
}
for on in $MACHINES; do
    at=apps/$app/$on
    for file in empty small 1m; do
        inside "$example" -s "$url/$file"
        is "$at/$file" "$status $(sum <out)" "0 $(sum <www/$file)"
    done
    inside "$example" -s "$url/small" "$url/64k" "$url/small"
    is "$at/three" "$status $(sum <out)" "0 $(cat www/small www/64k www/small | sum)"
    inside -a www/1m:/data "$example" -s -T /data "$url/upload"
    is "$at/upload" "$status $(cat out)" "0 $(sum <www/1m)"
    inside "$example" -sf "$url/nothing"
    is "$at/404" "$status" 22
    inside "$example" -s http://10.0.2.15:1/
    is "$at/refused" "$status" 7
    inside "$example" -s http://no-such-name.invalid/
    is "$at/no-name" "$status" 6
    inside -a cert.pem:/cert.pem "$example" -s --cacert /cert.pem --resolve "host.test:$tls:10.0.2.2" "https://host.test:$tls/64k"
    is "$at/https" "$status $(sum <out)" "0 $(sum <www/64k)"
    inside "$example" -s --resolve "host.test:$tls:10.0.2.2" "https://host.test:$tls/64k"
    is "$at/untrusted" "$status" 60
done
