#!/bin/sh
# more.sh - more servers, with options alone and no folder in examples/: each answers a real client and ends when it is asked to.
. tests/apps/lib

mkdir www
echo 'a page' >www/page
web_port=$(free_port 2)
/usr/bin/python3 -m http.server "$web_port" --bind 127.0.0.1 --directory www >web.log 2>&1 &
pids="$pids $!"

serve gearmand 0 '^olleh$' 'timeout 15 gearman -h 127.0.0.1 -p PORT -w -c 1 -f rev -- rev >worker 2>&1 & sleep 1; printf hello | timeout 10 gearman -h 127.0.0.1 -p PORT -f rev' \
    -- -p PORT:4730 /usr/sbin/gearmand -l stderr -L 0.0.0.0
serve microsocks 143 '^a page$' "curl -sf --max-time 10 --socks5 127.0.0.1:PORT http://10.0.2.2:$web_port/page" -- -p PORT:1080 /usr/bin/microsocks -i 0.0.0.0 -p 1080
serve nghttpd 143 '^a page$' 'nghttp http://127.0.0.1:PORT/page' -- -p PORT:80 -a www:/www /usr/sbin/nghttpd --no-tls -d /www 80
printf '0.0.0.0 8080 10.0.2.2 %s\n' "$web_port" >rinetd.conf
serve rinetd 0 '^a page$' 'curl -sf --max-time 10 http://127.0.0.1:PORT/page' -- -p PORT:8080 -a rinetd.conf:/etc/rinetd.conf /usr/sbin/rinetd -f -c /etc/rinetd.conf
printf 'set daemon 30\nset idfile /run/monit.id\nset statefile /run/monit.state\nset httpd port 2812\n    allow 0.0.0.0/0\ncheck system pith\n    if memory usage > 99%% then alert\n' >monitrc
chmod 600 monitrc
serve monit 0 '^Monit 5.*uptime' 'curl -sf --max-time 10 "http://127.0.0.1:PORT/_status?format=text"' -- -p PORT:2812 -a monitrc:/run/monitrc /usr/bin/monit -I -c /run/monitrc -p /run/monit.pid
cat >hello.py <<'P'
import threading
def app(environ, start):
    start('200 OK', [('Content-Type', 'text/plain')])
    return [b'%s %d\n' % (environ['PATH_INFO'].encode(), threading.active_count() > 1)]
from waitress import serve
serve(app, listen='0.0.0.0:8080', threads=4)
P
serve waitress 143 '^/some/path 1$' 'curl -sf --max-time 10 http://127.0.0.1:PORT/some/path' \
    -- -p PORT:8080 --package libpython3.11-minimal --package libpython3.11-stdlib --package python3-waitress -a hello.py:/app/ /usr/bin/python3 /app/hello.py
cat >tarantool.lua <<'T'
box.cfg { listen = '0.0.0.0:3301', work_dir = '/run', memtx_memory = 32 * 1024 * 1024, wal_mode = 'none' }
box.schema.space.create('t'):create_index('pk')
for i = 1, 1000 do box.space.t:insert { i, 'row ' .. i } end
box.schema.user.grant('guest', 'read,write,execute', 'universe')
T
serve tarantool 0 'row 777' "echo \"print(require('net.box').connect('127.0.0.1:PORT'):eval('return box.space.t:get(777)[2]')) os.exit(0)\" >client.lua; tarantool client.lua" \
    -- -p PORT:3301 --allow jit -a tarantool.lua:/app/ /usr/bin/tarantool /app/tarantool.lua
cat >inspircd.conf <<'I'
<server name="irc.example.org" description="test" network="test">
<admin name="a" nick="a" email="a@example.org">
<bind address="*" port="6667" type="clients">
<connect allow="*" resolvehostnames="no" useident="no">
<pid file="/run/inspircd.pid">
I
serve inspircd 10 ' 001 me :Welcome' '(printf "NICK me\r\nUSER me 0 * :me\r\n"; sleep 3; printf "QUIT\r\n"; sleep 1) | timeout 10 socat - TCP:127.0.0.1:PORT' \
    -- -p PORT:6667 -a inspircd.conf:/etc/inspircd/ --package inspircd /usr/sbin/inspircd --nofork --config /etc/inspircd/inspircd.conf
cat >prosody.lua <<'L'
daemonize = false
pidfile = "/run/prosody.pid"
data_path = "/run"
modules_enabled = { "roster"; "saslauth"; "disco" }
modules_disabled = { "posix"; "s2s" }
c2s_require_encryption = false
log = { info = "*console" }
VirtualHost "localhost"
L
serve prosody 143 'stream:features' "(printf \"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>\"; sleep 3) | timeout 8 socat - TCP:127.0.0.1:PORT" \
    -- -p PORT:5222 --package prosody --package lua-socket --package lua-expat --package lua-filesystem --package lua-sec -a prosody.lua:/etc/prosody/prosody.cfg.lua /usr/bin/prosody --config /etc/prosody/prosody.cfg.lua
# ZNC opens each module that it finds twice and makes a locale for each: the one that its file names is enough.
mkdir -p znc/configs
cat >znc/configs/znc.conf <<'Z'
Version = 1.8.2
LoadModule = webadmin
<Listener l>
    Port = 8080
    IPv4 = true
    IPv6 = false
    SSL = false
</Listener>
<User me>
    Admin = true
    <Pass password>
        Method = sha256
        Hash = f84fa2149dbb62ed4e0cf1f550d2949b33a6513d3a7707e08502511c79ccb0ee
        Salt = salt
    </Pass>
</User>
Z
serve znc 0 ' 001 me ' '(printf "PASS me:secret\r\nNICK me\r\nUSER me 0 * :me\r\n"; sleep 3; printf "QUIT\r\n"; sleep 1) | timeout 10 socat - TCP:127.0.0.1:PORT' \
    -- -p PORT:8080 -a znc:/run/znc -a /usr/lib/znc/webadmin.so -a /usr/share/znc /usr/bin/znc -f -r -d /run/znc
