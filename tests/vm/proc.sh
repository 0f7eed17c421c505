#!/bin/sh
# proc.sh - programs that read /proc and /sys: free, ps, vmstat, pmap, nproc, lscpu, lsof's and Node's ways.
. tests/vm/lib

words() { tr -s ' ' | sed 's/^ //; s/ $//'; }

for on in ${MACHINES_PROC:-microvm:1 q35:4}; do
    cpus=${on#*:}
    is "proc/$on/nproc" "$(vm "$on" /usr/bin/nproc)" "$cpus"
    vm "$on" -m 128M /usr/bin/free -k >free 2>&1
    is "proc/$on/free" "$(awk '/^Mem:/ { print ($2 > 120000 && $2 <= 131072), ($3 + $4 + $6 == $2 || $3 + $4 + $6 - $2 < 2048), ($7 > $2 / 2) } /^Swap:/ { print $2 }' free | tr '\n' ' ')" "1 1 1 0 "
    is "proc/$on/vmstat" "$(vm "$on" /usr/bin/vmstat 2>&1 | awk 'NR == 3 { print NF, ($4 > 50000), $7, ($12 > 0) }')" "17 1 0 1"
    is "proc/$on/ps" "$(vm "$on" -- /usr/bin/ps -eo pid,ppid,uid,nlwp,stat,args --no-headers 2>&1 | words | sed 's/ [RS][sl+]* / STAT /')" "2 1 1000 1 STAT /usr/bin/ps -eo pid,ppid,uid,nlwp,stat,args --no-headers"
    is "proc/$on/ps memory" "$(vm "$on" -- /usr/bin/ps -eo vsz,rss,maj_flt,time --no-headers 2>&1 | awk '{ print ($1 > 4000), ($2 > 1000 && $2 < $1), ($3 >= 0), NF }')" "1 1 1 4"
    vm "$on" -- /usr/bin/pmap -x 2 >pmap 2>&1
    is "proc/$on/pmap" "$(awk '/pmap$/ && $5 ~ /x/ { code = $3 } /\[ stack \]/ { stack = $3 } /^total/ { print (code > 0), (stack > 0), ($4 > 500 && $4 >= $5 && $3 > $4) }' pmap)" "1 1 1"
    vm "$on" /usr/bin/lscpu >lscpu 2>&1
    is "proc/$on/lscpu" "$(awk -F': *' '$1 == "Architecture" || $1 == "CPU(s)" || $1 == "Core(s) per socket" || $1 == "Thread(s) per core" || $1 == "NUMA node(s)" { printf "%s ", $2 }' lscpu)" "x86_64 $cpus 1 $cpus 1 "
    is "proc/$on/uptime" "$(vm "$on" /usr/bin/uptime 2>&1 | grep -c 'up 0 min.*load average: [0-9.]*, [0-9.]*, [0-9.]*$')" 1
    # Python's own reading of its process, as its libraries do it.
    cat >own.py <<'P'
import os, resource
rss = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
status = dict(l.split(":", 1) for l in open("/proc/self/status"))
smaps = sum(int(l.split()[1]) for l in open("/proc/self/smaps") if l.startswith("Rss:"))
hwm = int(status["VmHWM"].split()[0])
print(len(os.sched_getaffinity(0)), os.cpu_count(), rss > 1 << 20, abs(smaps - int(status["VmRSS"].split()[0])) < 2048, hwm * 1024 >= rss, os.getloadavg()[0] >= 0)
print(sorted(os.listdir("/proc/self/fd"))[:3], os.path.realpath("/proc/self/cwd"), os.path.basename(os.path.realpath("/proc/self/exe"))[:7])
print(all(os.path.exists("/proc/self/fdinfo/" + f) for f in ("0", "1", "2")), os.path.exists("/sys/class/net/lo/mtu"), os.path.isdir("/sys/fs/cgroup"))
P
    is "proc/$on/python" "$(vm "$on" -m 256M -a /usr/lib/python3.11 -a /usr/lib/python3 -a own.py:/own.py -w /tmp /usr/bin/python3 /own.py 2>&1 | tr '\n' '|')" \
        "$cpus $cpus True True True True|['0', '1', '2'] /tmp python3|True True False|"
done
