#!/bin/sh
# panic.sh - the kernel itself fails (by a non-maskable interrupt that nobody asked for): exit status 122, a report
# with registers and a backtrace of symbol names, and no kernel address in it; also where it has no port to say it on.
# And a VMM that somebody on the host ends is not the kernel's failure.
. tests/vm/lib

cat >vmm <<E2
#!/bin/sh
exec qemu-system-x86_64 "\$@" -qmp unix:$dir/qmp,server=on,wait=off
E2
chmod +x vmm
cc -O1 -D_GNU_SOURCE -pthread -o ends "$sources/tests/vm/programs/ends.c"

# The same without a console.
cat >mute <<E2
#!/bin/sh
n=\$#
while [ \$n -gt 0 ]; do
    word=\$1 n=\$((n - 1))
    shift
    case "\$word \$1" in
        "-device virtio-serial"* | "-device virtserialport"*) shift && n=\$((n - 1)) ;;
        *) set -- "\$@" "\$word" ;;
    esac
done
exec $dir/vmm "\$@"
E2
chmod +x mute

nmi() { # through QMP, with nothing but the standard library, when the kernel idles
    python3 - "$dir/qmp" <<'P'
import json, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
f = s.makefile("rw")
f.readline()
def ask(command, **arguments):
    f.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    f.flush()
    while True:
        answer = json.loads(f.readline())
        if "event" not in answer:
            return answer["return"]
ask("qmp_capabilities")
end = time.monotonic() + 60
while time.monotonic() < end:
    registers = ask("human-monitor-command", **{"command-line": "info registers"})
    if "HLT=1" in registers and "IDT=     ffff" in registers:
        break
    time.sleep(0.1)
ask("inject-nmi")
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

for on in microvm:1 q35:1; do
    PITH_QEMU=$dir/mute
    start mute "$on" --net none ./ends wait
    wait_for 30 test -S qmp
    nmi
    status=0
    wait "$pid" || status=$?
    is "panic/$on/no-console/status" "$status" 122
    if grep -q '^pith: the kernel failed: exception 2 .*; please report' mute.log; then ok "panic/$on/no-console/line"; else not_ok "panic/$on/no-console/line" "$(cat mute.log)"; fi
    if grep -q '^panic: exception 2' mute.log && grep -qE '^  r12 ' mute.log; then ok "panic/$on/no-console/report"; else not_ok "panic/$on/no-console/report" "$(cat mute.log)"; fi
    rm -f qmp
done

PITH_QEMU=$dir/vmm
start ended microvm:1 --net none ./ends wait
wait_for 30 grep -q ready ended.log
kill -TERM "$(pgrep -f "^qemu-system-x86_64 .*-qmp unix:$dir/qmp,")"
status=0
wait "$pid" || status=$?
is panic/vmm-ended/status "$status" 125
if grep -q '^pith: QEMU: terminating on signal 15 from pid ' ended.log; then ok panic/vmm-ended/line; else not_ok panic/vmm-ended/line "$(cat ended.log)"; fi
