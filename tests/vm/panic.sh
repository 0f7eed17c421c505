#!/bin/sh
# panic.sh - the kernel itself fails (by a non-maskable interrupt that nobody asked for): exit status 122, a report
# with registers and a backtrace of symbol names, and no kernel address in it.
. tests/vm/lib

cat >vmm <<E2
#!/bin/sh
exec qemu-system-x86_64 "\$@" -qmp unix:$dir/qmp,server=on,wait=off
E2
chmod +x vmm
cc -O1 -D_GNU_SOURCE -pthread -o ends "$sources/tests/vm/programs/ends.c"

nmi() { # through QMP, with nothing but the standard library
    python3 - "$dir/qmp" <<'P'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
f = s.makefile("rw")
f.readline()
for command in ("qmp_capabilities", "inject-nmi"):
    f.write('{"execute": "%s"}\n' % command)
    f.flush()
    f.readline()
P
}

for on in microvm:1 q35:4; do
    PITH_QEMU=$dir/vmm
    export PITH_QEMU
    start panic "$on" --net none ./ends wait
    wait_for 30 grep -q ready panic.log
    nmi
    status=0
    wait "$pid" || status=$?
    is "panic/$on/status" "$status" 122
    if grep -q '^pith: the kernel failed: ' panic.log; then ok "panic/$on/line"; else not_ok "panic/$on/line" "$(cat panic.log)"; fi
    if grep -qE 'arch_cpu_idle|idle_loop|\+0x' panic.log; then ok "panic/$on/symbols"; else not_ok "panic/$on/symbols" "$(cat panic.log)"; fi
    if grep -qiE 'ffff[89a-f][0-9a-f]{11}' panic.log; then not_ok "panic/$on/no-address" "$(cat panic.log)"; else ok "panic/$on/no-address"; fi
    rm -f qmp
done
