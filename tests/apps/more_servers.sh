#!/bin/sh
# more_servers.sh - servers of further kinds, with options alone: each answers a real client and ends when it is asked to. And
# those that insist on a second process: the line says so and what they need it for, and doctor says it before.
. tests/apps/lib

mkdir empty gdnsd gdnsd/zones
printf 'options => { listen => 0.0.0.0, run_dir => /run/gdnsd, state_dir => /run/gdnsd.state }\n' >gdnsd/config
printf '@ SOA ns1 hostmaster ( 1 7200 30M 3D 900 )\n@ NS ns1\n@ NS ns2\nns1 A 10.0.0.1\nns2 A 10.0.0.2\nwww A 10.1.2.3\n' >gdnsd/zones/example.org
serve gdnsd 143 '^10\.1\.2\.3$' 'dig +short +tcp +time=5 +tries=1 -p PORT @127.0.0.1 www.example.org' -- -p PORT:53 -a gdnsd:/etc/gdnsd --package gdnsd /usr/sbin/gdnsd start

cat >sphinx.conf <<'C'
index t
{
    type = rt
    path = /run/sphinx/t
    rt_field = body
    rt_attr_uint = n
}
searchd
{
    listen = 0.0.0.0:9306:mysql41
    log = /run/sphinx/log
    query_log = /run/sphinx/queries
    pid_file = /run/sphinx/pid
    workers = threads
    binlog_path =
}
C
serve searchd 0 '^1	7$' "mariadb -N -h 127.0.0.1 -P PORT -e \"replace into t (id, body, n) values (1, 'hello pith', 7); select id, n from t where match('pith')\"" \
    -- -p PORT:9306 -a sphinx.conf:/etc/sphinx.conf -a empty:/run/sphinx --package sphinxsearch /usr/bin/searchd --console -c /etc/sphinx.conf

serve bitlbee 0 ' 001 me :Welcome' '(printf "NICK me\r\nUSER me 0 * :me\r\n"; sleep 3; printf "QUIT\r\n"; sleep 1) | timeout 10 socat - TCP:127.0.0.1:PORT' \
    -- -p PORT:6667 --package bitlbee-common --package bitlbee -a empty:/run/bitlbee /usr/sbin/bitlbee -n -D -i 0.0.0.0 -d /run/bitlbee -P /run/bitlbee.pid

printf 'connection: &c\n  accepter: tcp,0.0.0.0,3000\n  connector: echo()\n' >ser2net.yaml
serve ser2net 1 '^abcd$' '(echo abcd; sleep 2) | timeout 10 socat - TCP:127.0.0.1:PORT' \
    -- -p PORT:3000 -a /usr/libexec/x86_64-linux-gnu/gensio -a ser2net.yaml:/etc/ser2net.yaml --package ser2net /usr/sbin/ser2net -n -c /etc/ser2net.yaml

# A key of its own would be made for a minute on a busy host.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout key.pem -out cert.pem 2>openssl.err || not_ok "apps/$app/certificate" "$(tail -n 2 openssl.err)"
printf 'port=64738\ndatabase=/run/murmur.sqlite\nhost=0.0.0.0\nsslCert=/etc/cert.pem\nsslKey=/etc/key.pem\n' >murmur.ini
serve murmurd 0 '^-----BEGIN CERTIFICATE' 'timeout 10 openssl s_client -connect 127.0.0.1:PORT </dev/null' \
    -- -p PORT:64738 -m 128M --allow jit -a murmur.ini:/etc/murmur.ini -a cert.pem:/etc/cert.pem -a key.pem:/etc/key.pem --package mumble-server -a /usr/lib/x86_64-linux-gnu/qt5/plugins/sqldrivers -e HOME=/run \
    /usr/sbin/murmurd -fg -ini /etc/murmur.ini

mkdir radius
printf 'me Cleartext-Password := "secret"\n' >radius/users
printf '$INCLUDE /usr/share/freeradius/dictionary\n' >radius/dictionary
cat >radius/radiusd.conf <<'C'
libdir = /usr/lib/freeradius
log {
    destination = stdout
}
modules {
    files {
        filename = /etc/freeradius/3.0/users
    }
    pap {
    }
}
client any {
    ipaddr = 0.0.0.0/0
    secret = testing123
}
server default {
    listen {
        type = auth
        ipaddr = *
        port = 1812
    }
    authorize {
        files
        pap
    }
    authenticate {
        pap
    }
}
C
serve freeradius 0 'Access-Accept' 'echo "User-Name=me,User-Password=secret" | radclient -r 1 -t 5 127.0.0.1:PORT auth testing123' \
    -- -p PORT:1812/udp -m 128M -a /usr/lib/x86_64-linux-gnu/ossl-modules --package freeradius --package freeradius-common --package libfreeradius3 -a radius:/etc/freeradius/3.0 \
    /usr/sbin/freeradius -f -l stdout

cat >lighttpd.conf <<'C'
server.modules = ("mod_openssl", "mod_rewrite", "mod_auth", "mod_authn_file", "mod_status")
server.document-root = "/www"
server.port = 443
ssl.engine = "enable"
ssl.pemfile = "/etc/ssl/both.pem"
status.status-url = "/status"
url.rewrite-once = ("^/moved/(.*)" => "/$1")
auth.backend = "plain"
auth.backend.plain.userfile = "/www/users"
auth.require = ("/secret" => ("method" => "basic", "realm" => "r", "require" => "valid-user"))
C
mkdir -p www/secret
echo 'me:password' >www/users
echo 'a secret' >www/secret/page
cat key.pem cert.pem >both.pem
serve lighttpd-modules 0 '^a secret$' 'curl -skf --max-time 10 -u me:password https://127.0.0.1:PORT/moved/secret/page && curl -skf https://127.0.0.1:PORT/status | grep -c lighttpd' \
    -- -p PORT:443 --allow jit -a lighttpd.conf:/etc/lighttpd/lighttpd.conf -a both.pem:/etc/ssl/both.pem -a www:/www -a /usr/lib/lighttpd \
    /usr/sbin/lighttpd -D -f /etc/lighttpd/lighttpd.conf

# insists NAME PATTERN -- OPTION... PROGRAM...: ends by itself or when asked, after a line on its second process.
insists() {
    insisting=$1 pattern=$2
    shift 3
    vm microvm:1 --stop-timeout 5 "$@" </dev/null >got 2>&1
    has "apps/$app/microvm:1/$insisting/says" "$(cat got)" "^pith: $insisting: (a second process|another program) \([a-z0-9]*\) is refused .*; .*$pattern"
}
# known PROGRAM PATTERN: doctor says so before.
known() { has "apps/$app/doctor/${1##*/}" "$("$PITH" doctor --program "$1" 2>&1)" "^hint: .*$2"; }

printf 'frontend = "[*]:443"\nbackend = "[10.0.2.2]:8000"\npem-file = "/etc/ssl/both.pem"\nworkers = 1\n' >hitch.conf
insists hitch 'worker' -- -a both.pem:/etc/ssl/both.pem -a hitch.conf:/etc/hitch.conf /usr/sbin/hitch --config=/etc/hitch.conf
known /usr/sbin/hitch 'worker'
printf 'protocols = imap\nssl = no\nbase_dir = /run/dovecot\n' >dovecot.conf
insists dovecot 'processes' -- -a dovecot.conf:/etc/dovecot/dovecot.conf --package dovecot-core /usr/sbin/dovecot -F
known /usr/sbin/dovecot 'processes'
known /usr/sbin/sshd 'each connection'
