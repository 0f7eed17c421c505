#!/bin/sh
# Kernels linked for one program: what is named is in them and nothing else is, the same bytes each time, any selection links.
. tests/cli/lib
unset PITH_KERNEL

# What a static hello calls (glibc of Debian 12).
calls="brk, arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, readlink, getrandom, mprotect, newfstatat, write"
cc -O2 -static -o hello "$sources/examples/hello/hello.c"
printf 'program: hello\nsyscalls: [%s]\n' "$calls" >hello.yaml
expect_ok build "$PITH" build -M hello.yaml -o a.img
expect_ok build-cached "$PITH" build -M hello.yaml -o b.img
check same-bytes "two builds differ" cmp a.img b.img
(XDG_CACHE_HOME=$dir/cache2 "$PITH" build -M hello.yaml -o c.img)
check same-bytes-elsewhere "a build with another cache differs" cmp a.img c.img

"$PITH" inspect --json a.img >report.json
"$PITH" build -o whole.img hello && "$PITH" inspect --json whole.img >whole.json
cat >look.py <<'END'
import json, sys
r, whole = json.load(open("report.json")), json.load(open("whole.json"))
named = set(sys.argv[2].replace(" ", "").split(","))
functions = {f["name"] for f in r["kernel_functions"]}
def calls():
    assert set(r["syscalls"]) == named | {"exit", "exit_group"}, r["syscalls"]
def functions_of_calls():
    handlers = {f[4:] for f in functions if f.startswith("sys_")} - {"refused", "unknown", "absent", "fstat", "readlinkat"}   # the last two: newfstatat and readlink call them
    assert handlers <= set(r["syscalls"]), handlers - set(r["syscalls"])
def nothing_else():
    for word in "ext4 lwip tcp udp inet unix netlink io_uring inotify ipc sem_ msg_ shm xattr aio sock_ virtio_net vnet tmpfs nvme".split():
        found = [f for f in functions if f.startswith(word) or "_" + word in f]
        assert not found, found[:5]
    # No handlers of signals, no threads, no lists of directories, one CPU, no network.
    absent = functions & {"signal_handler_run", "signal_frame_push", "robust_leave", "arch_smp_start", "erofs_readdir", "bootconf_net", "bootconf_volume"}
    assert not absent, absent
    # It is static and no script, opens nothing, has no rules for arguments, and one CPU.
    absent = functions & {"exec_load_interpreter", "exec_follow_script", "guard_open", "watch_init", "policy_peer_parse", "policy_learn", "flush_others", "steal"}
    assert not absent, absent
    assert not {"net", "lwip"} & {x["room"] for x in r["kernel_rooms"]}
    assert "virtio_net" not in r["drivers"] and "virtio_blk" in r["drivers"]
    assert "ext4" not in r["filesystems"] and "erofs" in r["filesystems"]
def whole_has_more():
    assert {"fork", "execve"}.isdisjoint(whole["syscalls"]) and len(whole["syscalls"]) > 280
    assert "ext4" in whole["filesystems"] and "virtio_net" in whole["drivers"]
    assert len(whole["kernel_functions"]) > 3 * len(functions) and {"net", "lwip"} <= {x["room"] for x in whole["kernel_rooms"]}
def sizes():
    assert r["kernel_bytes"] <= int(sys.argv[3]), r["kernel_bytes"]
    assert sum(f["bytes"] for f in r["kernel_functions"]) < r["kernel_bytes"]
globals()[sys.argv[1]]()
END
for what in calls functions_of_calls nothing_else whole_has_more; do
    check "inspect-$what" "$(python3 look.py $what "$calls" 0 2>&1 | tail -n 1)" python3 look.py $what "$calls" 0
done
check kernel-bytes "the kernel of hello has grown: $(python3 look.py sizes "$calls" "${HELLO_BYTES:-163840}" 2>&1 | tail -n 1)" python3 look.py sizes "$calls" "${HELLO_BYTES:-163840}"

# What a manifest leaves out by name; a dynamic program and rules for arguments bring what they need.
printf 'program: hello\nmachine: microvm\nwithout: [crash-report, vdso, balloon]\nsyscalls: [%s]\nfiles: { read: [], write: [] }\n' "$calls" >tight.yaml
expect_ok build-tight "$PITH" build -M tight.yaml -o tight.img
"$PITH" inspect --json tight.img >tight.json
cc -O2 -o dynamic "$sources/examples/hello/hello.c"
printf 'program: dynamic\nsyscalls: [%s, openat]\nmmap: [rw-p]\nconnect: ["10.0.0.1:80"]\n' "$calls" >dynamic.yaml
expect_ok build-dynamic "$PITH" build -M dynamic.yaml -o dynamic.img
"$PITH" inspect --json dynamic.img >dynamic.json
check without "$(python3 -c 'import json; print(json.load(open("tight.json"))["kernel_bytes"])')" python3 - <<'END'
import json
r, hello, dynamic = (json.load(open(f"{x}.json")) for x in ("tight", "report", "dynamic"))
functions, of_hello, of_dynamic = ({f["name"] for f in x["kernel_functions"]} for x in (r, hello, dynamic))
parts = {"virtio_pci_open", "pci_scan", "crash_symbol", "crash_caller", "say_frames", "exec_map_vdso", "arch_vdso_image", "balloon_probe"}
assert not functions & parts, functions & parts
assert parts - {"say_frames"} <= of_hello, parts - of_hello
assert {"exec_load_interpreter", "guard_open", "watch_init"} <= of_dynamic and "policy_peer_parse" not in of_dynamic
assert "pci" not in r["kernel_parts"] and "pci" in hello["kernel_parts"] and "virtio_balloon" not in r["drivers"]
assert hello["kernel_bytes"] - r["kernel_bytes"] > 16384
END
printf 'program: hello\nwithout: [vdso, kitchen]\nsyscalls: [write]\n' >kitchen.yaml
expect bad-without 2 '^pith: kitchen.yaml:2: without: "kitchen" is no part of the kernel that can be left out; there are crash-report vdso balloon' "$PITH" build -M kitchen.yaml -o no.img
expect run-without-pci 2 '^pith: --machine: .*linked without PCI' "$PITH" run --machine q35 tight.img

# One kind of socket brings its own and no other; files that are named bring their file systems.
printf 'program: hello\nsyscalls: [socket, bind, openat, read, setsockopt]\nsockets: [inet/stream]\nfiles:\n  read: [/proc/self/]\n  write: []\n' >tcp.yaml
expect_ok build-tcp "$PITH" build -M tcp.yaml -o tcp.img
"$PITH" inspect --json tcp.img >tcp.json
printf 'program: hello\nsyscalls: [openat, read]\ndevices: [/dev/zero]\nfiles:\n  read: [/srv/]\n  write: []\n' >device.yaml
expect_ok build-device "$PITH" build -M device.yaml -o device.img
"$PITH" inspect --json device.img >device.json
check devices "$(cat device.json | head -c 300)" python3 -c 'import json; assert "devfs" in json.load(open("device.json"))["filesystems"]'
check one-socket "$(python3 -c 'import json; print(json.load(open("tcp.json"))["filesystems"])')" python3 - <<'END'
import json
r = json.load(open("tcp.json"))
functions = {f["name"] for f in r["kernel_functions"]}
assert "tcp_output" in functions and "inet_tcp_send" in functions
assert {"inet_setsockopt", "inet_getsockopt"} <= functions, "setsockopt is named, and /proc/self/net asks getsockopt"
assert not functions & {"inet_tcp_connect", "inet_tcp_listen", "inet_tcp_accept", "inet_mcast_set", "ioctl_net", "notify_at_slow"}, "calls that are not named"
assert not {f for f in functions if f.startswith(("unix_op", "netlink_op", "udp_op", "nd6_input", "icmp6_input", "mld6_input", "unix_alloc"))}
assert r["filesystems"] == ["erofs", "procfs"], r["filesystems"]
assert "virtio_net" in r["drivers"]
END

# What the policy lets happen stays.
printf 'program: hello\nsyscalls: [write]\nsockets: []\npolicy: { syscall: log, socket: log }\n' >log.yaml
expect_ok build-log "$PITH" build -M log.yaml -o log.img
"$PITH" inspect --json log.img >log.json
check policy-log "calls or drivers are missing" python3 -c 'import json; r = json.load(open("log.json")); assert len(r["syscalls"]) > 280 and "virtio_net" in r["drivers"]'

# What the machine needs and the kernel lacks.
expect run-without-network 2 '^pith: -p: .*linked without a network' "$PITH" run -p 8080:80 a.img
expect run-without-ext4 2 '^pith: -v: .*linked without ext4' "$PITH" run -v none.img:/data a.img
expect run-without-trace 2 '^pith: --trace: .*linked without the tracer' "$PITH" run --trace a.img

# No ld.
mkdir bin
ln -s "$(command -v mkfs.erofs)" bin/
printf 'program: hello\nsyscalls: [%s, getpid]\n' "$calls" >other.yaml
expect no-ld 125 '^pith: ld: not found.*binutils' env PATH="$dir/here/bin" "$PITH" build -M other.yaml -o no.img
check no-ld-no-image "an image is left" test ! -e no.img

# Any selection links: single calls, all calls without sockets, each kind of socket, and random ones.
python3 - "$sources/kernel/linux/syscalls.def" "${LINK_SELECTIONS:-24}" <<'END'
import random, re, sys
random.seed(4)
calls = re.findall(r"^SYSCALL\d\(\d+, (\w+), (?:FULL|PART)", open(sys.argv[1]).read(), re.M)
sockets = "inet/stream inet/dgram inet6/stream inet6/dgram unix/stream unix/dgram netlink/route".split()
def write(k, calls, sockets=None):
    with open(f"s{k}.yaml", "w") as f:
        f.write(f"program: hello\nsyscalls: [{', '.join(calls)}]\n")
        if sockets is not None:
            f.write(f"sockets: [{', '.join(sockets)}]\n")
write(0, calls)
write(1, calls, [])
for k, s in enumerate(sockets):
    write(2 + k, ["socket", "bind", "connect", "listen", "accept", "read", "write"], [s])
for k in range(2 + len(sockets), int(sys.argv[2])):
    write(k, random.sample(calls, random.choice((1, 2, 5, 20, 80))), random.choice((None, random.sample(sockets, random.randrange(len(sockets))))))
END
bad=
longest=0
for yaml in s*.yaml; do
    from=$(date +%s%N)
    timeout 60 "$PITH" build -M "$yaml" -o s.img 2>err || bad="$bad $yaml: $(cat err)"
    took=$((($(date +%s%N) - from) / 1000000))
    [ "$took" -le "$longest" ] || longest=$took
done
if [ -z "$bad" ]; then ok any-selection-links; else not_ok any-selection-links "$bad"; fi
check link-time "linking took $longest ms" [ "$longest" -le 10000 ]
