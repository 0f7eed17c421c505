#!/bin/sh
# pith.yaml: every key, paths, what wins, what is added, and every kind of bad file.
. tests/cli/lib

cc -O2 -o fake-vmm "$sources/tests/cli/fake_vmm.c"
PITH_QEMU=$dir/here/fake-vmm
FAKE_VMM=config
export PITH_QEMU FAKE_VMM

# run NAME ARG...: the boot configuration as lines in ./out, the command's exit status checked.
run() {
    name=$1
    shift
    if ! "$PITH" run --accel tcg "$@" </dev/null >raw 2>err; then not_ok "$name" "$(cat err)"; fi
    tr '\0' '\n' <raw >out
}
says() { check "$1" "no line \"$2\": $(tr '\n' ' ' <out | cut -c 1-300)" grep -aqxF -e "$2" out; }
silent() { check "$1" "a line \"$2\"" sh -c '! grep -aqxF -e "$1" out' sh "$2"; }
line_of() { "$PITH" run --accel tcg --dry-run "$@" 2>err || cat err; }

# Every key.
mkdir -p app/conf.d app/www
cp /bin/true app/server
echo one >app/conf.d/a.conf
echo two >app/conf.d/b.conf
echo page >app/www/index.html
echo 'FROM_FILE=1' >app/vars
cat >app/pith.yaml <<'END'
# all of it
program: ./server
args: [-x, "two words", "a: b"]
env:
  KEY: VALUE
  EMPTY: ""
  TAKEN:
  PORT: 80
env_file: [vars]
workdir: /srv/data
hostname: web-1
add: ["www:/www", "conf.d/*.conf:/etc/app/"]
ports: ["127.0.0.1:18080:80", "15353:53/udp"]
net: user
ip: 10.0.2.15/24, fd00::15/64
gateway: 10.0.2.2
dns: [10.0.2.3]
memory: 96M
cpus: 2
allow: [jit]
stop_timeout: 3
END
TAKEN=here run all-keys -M app/pith.yaml
says program "exec=$dir/here/app/server"
for a in 'app/server' '-x' 'two words' 'a: b'; do says "arg-$a" "arg=$a"; done
for e in KEY=VALUE EMPTY= TAKEN=here PORT=80 FROM_FILE=1; do says "env-$e" "env=$e"; done
says workdir cwd=/srv/data
says hostname hostname=web-1
says net net=10.0.2.15/24
says net6 net=fd00::15/64
says gateway gateway=10.0.2.2
says dns dns=10.0.2.3
says allow allow=jit
line=$(line_of -M app/pith.yaml)
case "$line" in *'-m 96'*) ok memory ;; *) not_ok memory "$line" ;; esac
case "$line" in *'-smp 2'*) ok cpus ;; *) not_ok cpus "$line" ;; esac
case "$line" in *'hostfwd=tcp:127.0.0.1:18080-:80'*'hostfwd=udp::15353-:53'*) ok ports ;; *) not_ok ports "$line" ;; esac
root=$(printf '%s\n' "$line" | sed 's/.*file.filename=\([^ ]*\).*/\1/')
mkdir root
fsck.erofs --extract=root "$root" >/dev/null 2>&1
for f in www/index.html etc/app/a.conf etc/app/b.conf srv/data "$dir/here/app/server"; do check "add-$f" "$f is not in the root" test -e "root/$f"; done

# What the program may do: the records are those that the kernel reads.
cat >rules.yaml <<'END'
program: /bin/true
syscalls: [read, write, mmap]
sockets: [inet/stream, netlink/route, 40/1]
devices: [/dev/null]
files:
  read: [/etc/, "/srv/*.html"]
listen: [tcp/80, udp/0]
connect: ["10.1.0.0/16:5432/tcp", "[fd00::1]:53/udp", "*:443", "[fd00::]/8:*"]
ioctls: [TCGETS, 0x1234]
fcntl: [F_GETFL, 99]
prctl: [PR_SET_NAME]
mmap: [r--p, rw-s]
canary: [/etc/shadow]
secret: [/etc/key, "env:A"]
policy: {file: log, exec: stop}
END
run rules -M rules.yaml
says rules-syscalls "rule=syscalls:0302$(printf '%0124d' 0)"
for r in sockets: sockets:1/1 sockets:2/1 sockets:16/0 sockets:40/1 devices:/dev/null read: read:/etc/ 'read:/srv/*.html' write: listen:tcp/80 listen:udp/0 \
    connect:tcp/00000000000000000000ffff0a010000/112/5432 connect:udp/fd000000000000000000000000000001/128/53 \
    connect:any/00000000000000000000000000000000/0/443 connect:any/fd000000000000000000000000000000/8/0 ioctls:21505 ioctls:4660 fcntl:3 fcntl:99 \
    prctl:15 mmap:2050 canary:/etc/shadow secret:/etc/key secret:env:A; do
    case $r in sockets:1/1) silent rules-no-unix "rule=$r" ;; *) says "rules-$r" "rule=$r" ;; esac
done
says rules-policy policy=file/log
says rules-policy-stop policy=exec/stop
expect_ok rules-build "$PITH" build -M rules.yaml -o rules.img
run rules-image rules.img
says rules-image-keeps rule=listen:tcp/80
says rules-image-policy policy=exec/stop
printf 'listen: [tcp/81]\n' >other.yaml
run rules-image-other -M other.yaml rules.img
says rules-image-replaced rule=listen:tcp/81
silent rules-image-gone rule=listen:tcp/80
printf 'connect: ["localhost:7"]\n' >other.yaml
run rules-name -M other.yaml /bin/true
says rules-name-found rule=connect:any/00000000000000000000ffff7f000001/128/7
printf 'connect: ["no-such-host.invalid:7"]\n' >other.yaml
expect rules-name-unknown 125 'no-such-host.invalid: this peer of the manifest is not found' "$PITH" run -M other.yaml /bin/true

# The short form, arguments, and where it is called from.
run directory app
says directory-program "exec=$dir/here/app/server"
run directory-args app one two
says directory-args-given arg=two
silent directory-args-replace arg=-x
run directory-dashes app -- -v --
says directory-dashes-given arg=-v
check directory-dashes-once "only the first -- goes" sh -c 'test "$(grep -acxF -e "arg=--" out)" = 1'
cd app || exit 1
TAKEN=here "$PITH" run --accel tcg . </dev/null >raw 2>err
tr '\0' '\n' <raw >../out
rm -f raw err
cd ..
says from-inside "exec=$dir/here/app/server"
run args-after-dashes -M app/pith.yaml -- -v
says args-after-dashes-given arg=-v
silent args-after-dashes-replace arg=-x
run other-program -M app/pith.yaml /bin/echo hi
check other-program-exec "the program of the command line does not win" grep -aqE '^exec=(/usr)?/bin/echo$' out
says other-program-args arg=hi
silent other-program-no-args arg=-x
printf 'program: sort\n' >sort.yaml
run program-in-path -M sort.yaml
says program-in-path-found exec=/usr/bin/sort
cp /bin/true sort
run program-beside -M sort.yaml
says program-beside-found "exec=$dir/here/sort"

# The command line wins over values and adds to lists.
run wins -M app/pith.yaml --hostname other --ip 10.0.2.16/24 -w /tmp -e KEY=mine -e MORE=1 --dns 10.0.2.4
says wins-hostname hostname=other
says wins-net net=10.0.2.16/24
says wins-workdir cwd=/tmp
says wins-env env=KEY=mine
silent wins-env-once env=KEY=VALUE
says wins-env-more env=MORE=1
says wins-env-kept env=PORT=80
says wins-dns dns=10.0.2.4
silent wins-dns-replaced dns=10.0.2.3
echo KEY=file >over
run wins-env-file -M app/pith.yaml --env-file over
says wins-env-file-over env=KEY=file
line=$(line_of -M app/pith.yaml -m 128M -c 1 -p 19090:90)
case "$line" in *'-m 128'*) ok wins-memory ;; *) not_ok wins-memory "$line" ;; esac
case "$line" in *18080-:80*19090-:90*) ok adds-ports ;; *) not_ok adds-ports "$line" ;; esac
line=$(line_of -M app/pith.yaml -p 28080:80 -p 28081:80 -p 15354:53)
case "$line" in *:18080-*) not_ok wins-port "$line" ;; *::15353-:53*tcp::28080-:80*tcp::28081-:80*tcp::15354-:53*) ok wins-port ;; *) not_ok wins-port "$line" ;; esac
line=$(line_of -M app/pith.yaml --net none)
case "$line" in *hostfwd*) not_ok wins-net-no-ports "$line" ;; *-machine* | *-M*) ok wins-net-no-ports ;; *) not_ok wins-net-no-ports "$line" ;; esac
printf 'env:\n  - KEY=list\n  - TAKEN\n' >list.yaml
TAKEN=too run env-list -M list.yaml /bin/true
says env-list-value env=KEY=list
says env-list-taken env=TAKEN=too

# Patterns and packages.
run pattern-option -a 'app/conf.d/*:/conf/' /bin/true
expect pattern-nothing 125 'no file fits' "$PITH" run --accel tcg -a 'app/none*:/conf/' /bin/true
expect pattern-one-place 2 'end it with a /' "$PITH" run --accel tcg -a 'app/conf.d/*:/conf' /bin/true
cp /bin/true 'odd[1]'
run pattern-literal -a 'odd[1]:/odd' /bin/true
line=$(line_of --package base-files /bin/true)
root=$(printf '%s\n' "$line" | sed 's/.*file.filename=\([^ ]*\).*/\1/')
mkdir package
fsck.erofs --extract=package "$root" >/dev/null 2>&1
check package-file "the package's files are not in the root" test -e package/etc/debian_version
check package-no-doc "documentation is in the root" test ! -e package/usr/share/doc/base-files
# With what a package brings come the names by which this host calls it.
awk=$(dpkg-query -S "$(readlink -f /usr/bin/awk)" | cut -d: -f1)
root=$(line_of --package "$awk" /bin/true | sed 's/.*file.filename=\([^ ]*\).*/\1/')
rm -rf package && mkdir package
fsck.erofs --extract=package "$root" >/dev/null 2>&1
check package-alternative "package $awk comes without /usr/bin/awk" test "$(readlink package/usr/bin/awk)" = "$(readlink /usr/bin/awk)"
check package-alternative-slave "package $awk comes without /usr/bin/nawk" test "$(readlink package/etc/alternatives/nawk)" = "$(readlink /etc/alternatives/nawk)"
expect package-unknown 2 'no package that is installed' "$PITH" run --accel tcg --package pith-no-such-package /bin/true

# An image keeps what concerns it, and says which ports it means to be reached at.
expect_ok build "$PITH" build -M app/pith.yaml -o app.img
"$PITH" inspect --json app.img >report
check build-ports "inspect does not tell the ports" sh -c 'tr -d " \n" <report | grep -qF "\"ports\":[\"127.0.0.1:18080:80\",\"15353:53/udp\"]"'
run build-runs app.img
says build-hostname hostname=web-1
says build-args 'arg=two words'

# Bad files: one line with file and line number, status 2.
bad() { # NAME LINE PATTERN TEXT
    printf "$4" >bad.yaml
    expect "bad-$1" 2 "^pith: bad.yaml:$2: .*$3" "$PITH" run -M bad.yaml /bin/true
    rm -f bad.yaml
}
bad unknown-key 2 'unknown key "foo"; pith.yaml\(5\)' 'program: a\nfoo: b\n'
bad near-key 1 'did you mean "ports"' 'port: [80]\n'
bad list-for-text 2 'memory: one value is expected, not a list' 'program: a\nmemory: [a]\n'
bad mapping-for-text 1 'workdir: one value is expected, not a mapping' 'workdir: {a: b}\n'
bad text-for-list 2 'args: a list' 'program: a\nargs: x\n'
bad mapping-in-list 3 'args: a list of texts' 'args:\n  - a\n  - b: c\n'
bad null-list 2 'add: a list' 'memory: 64M\nadd:\nprogram: x\n'
bad no-mapping 1 'not lines of' 'a b\n'
bad list 1 'not lines of' '%s a\n'
bad empty 1 'nothing in it' ''
bad comment 1 'nothing in it' '# nothing\n'
bad twice 2 'second time' 'program: a\nprogram: b\n'
bad quote 3 'unexpected end' 'program: "a\nmemory: x\n'
bad tab 2 'tab' 'program: a\n\tmemory: x\n'
bad second-document 2 'second document' 'program: a\n---\nprogram: b\n'
bad alias 2 'alias' 'env: &a {a: b}\nargs: *a\n'
bad odd-key 1 'a key that is no word' '? [a]\n: b\n'
bad no-utf8 1 'UTF-8' 'program: \377\376\n'
bad ports 4 'ports: "80" names no ports' 'program: x\nports:\n - 80:80\n - "80"\n'
bad dns 3 'dns: "x" is no IP address' 'dns:\n  - 1.2.3.4\n  - x\n'
bad env-no-name 3 'env: "=c" names no variable' 'env:\n  - a=b\n  - =c\n'
bad env-text 1 'env: neither' 'env: x\n'
bad env-nested 2 'env: neither' 'env:\n  a: [b]\n'
bad hostname 1 'hostname: "a b" is no name' 'hostname: a b\n'
bad net 1 'net: "lan" is no such thing' 'net: lan\n'
bad ip 1 'ip: "10.0.0.1" is no address' 'ip: 10.0.0.1\n'
bad gateway 1 'gateway: "x"' 'gateway: x\n'
bad add-place 1 'add: .* no absolute place' 'add: ["x:y"]\n'
bad add-empty 1 'add: .* names no file' 'add: [":/y"]\n'
bad package 1 'packages: "-x" is no name' 'packages: ["-x"]\n'
bad allow 2 'allow: "all" is no such thing' 'program: x\nallow: [all]\n'
bad cpus 1 'cpus: "0" is no number' 'cpus: 0\n'
bad memory 1 'memory: "1Q" is no size' 'memory: 1Q\n'
bad workdir 1 'workdir: "tmp" is not absolute' 'workdir: tmp\n'
bad stop-timeout 1 'stop_timeout: "soon"' 'stop_timeout: soon\n'
bad syscall 3 'syscalls: "opne" is no system call' 'program: x\nsyscalls:\n  - opne\n'
bad socket 1 'sockets: "inet" is no kind of socket' 'sockets: [inet]\n'
bad device 1 'devices: "null" is not absolute' 'devices: ["null"]\n'
bad files 4 'files.read: "b" is not absolute' 'files:\n  read:\n    - /a\n    - b\n'
bad files-list 1 'files: lines of "key: value"' 'files: [a]\n'
bad files-key 2 'did you mean "write"' 'files:\n  writ: [/a]\n'
bad files-twice 3 'second time' 'files:\n  read: [/a]\n  read: [/b]\n'
bad files-text 2 'read: a list' 'files:\n  read: /a\n'
bad listen 2 'listen: "80" is no port' 'program: x\nlisten: ["80"]\n'
bad connect 3 'connect: "10.0.0.1" is no peer' 'connect:\n  - "*:53/udp"\n  - 10.0.0.1\n'
bad connect-prefix 1 'connect: "10.0.0.0/33:1" is no peer' 'connect: ["10.0.0.0/33:1"]\n'
bad connect-brackets 1 'connect: "fd00::1:53" is no peer' 'connect: ["fd00::1:53"]\n'
bad ioctl 1 'ioctls: "TCGOT" is no ioctl' 'ioctls: [TCGOT]\n'
bad fcntl 1 'fcntl: "0x1ffffffff" is no fcntl' 'fcntl: ["0x1ffffffff"]\n'
bad prctl 1 'prctl: "PR" is no prctl' 'prctl: [PR]\n'
bad mmap 1 'mmap: "rw" is no protection' 'mmap: [rw]\n'
bad canary 1 'canary: "x" is not absolute' 'canary: [x]\n'
bad secret 1 'secret: "env:" is no secret' 'secret: ["env:"]\n'
bad policy 3 'policy.file: "kill" is no such thing' 'policy:\n  exec: stop\n  file: kill\n'
bad policy-kind 1 'did you mean "listen"' 'policy: {listn: log}\n'
bad ports-without-net 2 'ports: ports are forwarded only' 'net: none\nports: ["80:80"]\n'
expect bad-no-file 125 'cannot read the manifest: No such file' "$PITH" run -M none.yaml /bin/true
expect bad-directory 125 'cannot read the manifest: Is a directory' "$PITH" run -M app /bin/true
head -c 2000000 /dev/zero | tr '\0' '#' >long.yaml
expect bad-long 125 'cannot read the manifest: File too large' "$PITH" run -M long.yaml /bin/true
printf 'memory: 64M\n' >none.yaml
expect no-program 2 'no program is named' "$PITH" run -M none.yaml
mkdir only
cp none.yaml only/pith.yaml
expect directory-no-program 2 'only/pith.yaml: names no program' "$PITH" run only
printf 'program: ./gone\n' >gone.yaml
expect program-gone 127 'no such file' "$PITH" run -M gone.yaml
printf 'add: ["gone:/x"]\n' >gone.yaml
expect add-gone 125 './gone: cannot add it: No such file' "$PITH" run --accel tcg -M gone.yaml /bin/true

# The examples of the manual page are taken as they stand.
mkdir -p man/www
: >man/lighttpd.conf
: >man/main.py
awk '/^\.Ed/ { on = 0 } on { print > ("man/" n ".yaml") } /^\.Bd/ { on = 1; n++ }' "$sources/docs/man/pith.yaml.5"
sed -i -e 's,/usr/sbin/lighttpd,/bin/true,' -e 's,^packages: .*,packages: [python3],' man/1.yaml man/2.yaml
run man-server -M man/1.yaml
says man-server-args arg=/etc/lighttpd/lighttpd.conf
run man-interpreter -M man/2.yaml
says man-interpreter-env env=PYTHONUNBUFFERED=1
