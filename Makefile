# Pith: everything is built from here, into build/ (or B=DIR).
#
#   make            the kernel and the command        make check      every test
#   make help       the list of targets

B        ?= build
CC       ?= gcc
HOSTCC   ?= gcc
PREFIX   ?= /usr/local
VERSION  := 0.1
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
# make V=1 shows whole command lines.
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
say       = $(if $(filter 1,$(V)),,@echo '  $(1)	$(patsubst $(B)/%,%,$(2))')

rwild = $(sort $(foreach d,$(wildcard $(1)/*),$(call rwild,$(d),$(2)) $(filter $(subst *,%,$(2)),$(d))))

WARN     := -Wall -Wextra -Wno-unused-parameter -Wstrict-prototypes -Wmissing-prototypes -Wvla
# Both compilers build the kernel (make CC=clang B=build-clang kernel); each has words that the other does not know.
CLANG_CC := $(shell $(CC) --version 2>/dev/null | grep -c clang)
ifeq ($(CLANG_CC),0)
WARN     += -Wshadow=local
# No vector registers, hence nothing on the stack that wants more than 8 bytes, and nothing to tell variadic functions about them.
KCFLAGS_CC := -mpreferred-stack-boundary=3 -mskip-rax-setup -fno-align-jumps -fno-align-loops -fno-align-labels
# For speed, but for what makes code larger and no row of bench/budgets.tsv cheaper; and what still runs often, but beside a short way.
KSPEED   := -O2 -fno-tree-pre -freorder-blocks-algorithm=simple
KCOMPACT := $(KSPEED) -fno-inline-functions
KSMALL   := -Oz -fno-expensive-optimizations -fno-move-loop-invariants -fno-tree-loop-im
else
KSPEED   := -O2
KCOMPACT := -O2
KSMALL   := -Os
KCFLAGS_CC := -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
endif
# An object is made again when its command line changes.
define cmdline
$(shell mkdir -p $(B); printf '%s' '$(subst ','\'',$(2))' | cmp -s - $(B)/.cmd-$(1) || printf '%s' '$(subst ','\'',$(2))' > $(B)/.cmd-$(1))
endef

# ---- The kernel ------------------------------------------------------------------------

# Stand-ins for what a kernel of one program may lack; never in the whole one.
KWITHOUT := kernel/net/inet_without_ip6.c
KSRC     := $(filter-out $(KWITHOUT) kernel/arch/host/% kernel/arch/x86_64/vdso/%,$(call rwild,kernel,*.c))
KASM     := $(call rwild,kernel,*.S)
KCFLAGS  := -std=gnu17 -O2 -fno-align-functions -g $(WARN) -ffreestanding -fPIE -fno-plt -include kernel/base/hidden.h \
            -mgeneral-regs-only -mno-red-zone -mcmodel=small -fcf-protection=none -fno-asynchronous-unwind-tables \
            -fomit-frame-pointer -fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections \
            -fstack-protector-strong -mstack-protector-guard=tls -mstack-protector-guard-reg=gs -mstack-protector-guard-offset=40 \
            -fstack-clash-protection -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks -fwrapv $(KCFLAGS_CC) \
            -Ikernel -I. -DPITH_VERSION='"$(VERSION)"'
# What runs for each system call, fault, packet or switch is made for speed; the rest, most of the kernel, for size.
KHOT     := $(addprefix kernel/base/,string.c radix.c rbtree.c sha256.c chacha20.c) $(addprefix kernel/sched/,run.c waitq.c mutex.c) kernel/mm/% kernel/blk/blk.c \
            $(addprefix kernel/arch/x86_64/,trap.c tlb.c pagetable.c thread.c lapic.c clock.c irq.c) \
            $(addprefix kernel/dev/,virtqueue.c virtio.c port.c) $(addprefix kernel/drivers/,virtio_net.c virtio_blk.c) \
            $(addprefix kernel/vm/,aspace.c area.c fault.c map.c object.c object_fill.c object_io.c object_map.c place.c uio.c usercopy.c zap.c) \
            $(addprefix kernel/fs/,namei.c dcache.c open.c vnode.c tmpfs_file.c erofs_data.c erofs_dir.c crc32c.c) \
            $(addprefix kernel/net/,socket.c inet_demux.c inet_fast.c inet_mem.c inet_send.c inet_tcp_io.c) \
            $(addprefix kernel/proc/,file.c file_socket.c file_vnode.c file_port.c fdtable.c futex.c epoll.c poll_wait.c pipe.c eventfd.c) \
            $(addprefix kernel/linux/,dispatch.c filecalls.c sys_io.c sys_futex.c sys_socket.c sys_epoll.c sys_mm.c)
speed_or_size = $(if $(filter $(2),$(1)),$(KSPEED),$(KSMALL))
# Entry code runs before there is a canary to check.
KCFLAGS_EARLY := -fno-stack-protector -fno-stack-clash-protection
LWIP     := $(B)/lwip
include kernel/net/lwip/files.mk
LWIP_OBJ := $(patsubst %.c,$(B)/lwip-obj/%.o,$(filter-out $(LWIP_JOINED),$(LWIP_SRC))) $(B)/lwip-obj/joined.o
LWIP_CFLAGS = $(filter-out $(WARN),$(KCFLAGS)) -w -Ikernel/net/lwip -I$(LWIP)/src/include
KOBJ     := $(KSRC:%.c=$(B)/%.o) $(KASM:%.S=$(B)/%.S.o)
$(call cmdline,kernel,$(CC) $(KCFLAGS) $(KHOT) $(LWIP_JOINED) $(KSPEED) $(KCOMPACT) $(KSMALL) $(value speed_or_size))

$(B)/kernel/%.o: kernel/%.c $(B)/.cmd-kernel | $(LWIP)/.stamp
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(KCFLAGS) $(call speed_or_size,$<,$(KHOT)) $(if $(filter kernel/boot/% kernel/arch/x86_64/early%,$<),$(KCFLAGS_EARLY)) $(if $(filter kernel/net/inet%.c kernel/net/lwip/%,$<),-Ikernel/net/lwip -I$(LWIP)/src/include) -MMD -MP -c -o $@ $<
$(B)/kernel/%.S.o: kernel/%.S $(B)/.cmd-kernel
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out -include kernel/base/hidden.h,$(KCFLAGS)) -I$(B) -D__ASSEMBLER__ -MMD -MP -c -o $@ $<
$(B)/lwip-obj/%.o: $(LWIP)/.stamp $(B)/.cmd-kernel kernel/net/lwip/lwipopts.h kernel/net/lwip/inet_hooks.h kernel/net/lwip/files.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(LWIP_CFLAGS) $(KSMALL) $(call lwip_flags,$*) -MMD -MP -c -o $@ $(LWIP)/src/$*.c
$(B)/lwip-obj/joined.o: $(LWIP)/.stamp $(B)/.cmd-kernel kernel/net/lwip/lwipopts.h kernel/net/lwip/inet_hooks.h kernel/net/lwip/files.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)for f in $(LWIP_JOINED); do case $$f in */tcp_in.c) echo '#define tcp_input lwip_tcp_input' ;; esac; printf '#include "%s"\n' "$$f"; done >$(@:.o=.c)
	$(Q)$(CC) $(LWIP_CFLAGS) $(KCOMPACT) -I$(LWIP)/src -MMD -MP -c -o $@ $(@:.o=.c)
$(LWIP)/.stamp: scripts/fetch-lwip
	scripts/fetch-lwip $(LWIP)
	touch $@

# The vDSO: a shared object for the program, carried inside the kernel.
VDSO_SRC := $(wildcard kernel/arch/x86_64/vdso/*.c)
$(B)/vdso.so: $(VDSO_SRC) kernel/arch/x86_64/vdso/vdso.lds
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu17 -O2 $(WARN) -fPIC -fno-plt -fno-stack-protector -fcf-protection=none -mno-red-zone -fno-asynchronous-unwind-tables \
	  -nostdlib -shared -Ikernel -I. -Wl,-T,kernel/arch/x86_64/vdso/vdso.lds -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both \
	  -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-Bsymbolic -Wl,--no-undefined -o $@ $(VDSO_SRC)
	$(call say,STRIP,$@)
	$(Q)strip -s $@
$(B)/kernel/arch/x86_64/vdso_image.S.o: $(B)/vdso.so

KLDFLAGS := -pie --no-dynamic-linker -z text -z noexecstack -z max-page-size=4096 -z pack-relative-relocs -n \
            --gc-sections --build-id=none --no-undefined
$(B)/kernel.ld: kernel/boot/kernel.lds $(wildcard kernel/*/*.def)
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -undef -nostdinc -x assembler-with-cpp -Ikernel -o $@ $<
$(B)/pith.elf: $(KOBJ) $(LWIP_OBJ) $(B)/kernel.ld
	$(call say,LD,$@)
	$(Q)ld $(KLDFLAGS) -T $(B)/kernel.ld -Map=$(B)/kernel.map -o $@ $(KOBJ) $(LWIP_OBJ)
$(B)/pith.elf.stripped: $(B)/pith.elf
	$(call say,STRIP,$@)
	$(Q)strip -s -o $@ $<
# What `pith build` links a kernel from (docs/decisions/linking.md): the objects without what only a debugger reads, with
# their folders in their names.
KIP6     := $(filter $(B)/kernel/net/inet_ip6% $(B)/lwip-obj/core/ipv6/%,$(KOBJ) $(LWIP_OBJ))
# All but the IP stack and ext4 once more, for size and for one CPU: programs of one thread that use neither.
KSMALLOBJ := $(patsubst %,$(B)/small/%.o,$(basename $(filter-out kernel/arch/x86_64/smp.c kernel/fs/ext4/% kernel/net/inet% kernel/net/lwip/% kernel/net/netlink% \
            kernel/drivers/virtio_net.c,$(KSRC)))) $(filter-out %/trampoline.S.o,$(KASM:%.S=$(B)/%.S.o))
$(B)/small/kernel/%.o: kernel/%.c $(B)/.cmd-kernel
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(KCFLAGS) $(KSMALL) -g0 -DPITH_SMALL $(if $(filter kernel/boot/% kernel/arch/x86_64/early%,$<),$(KCFLAGS_EARLY)) -MMD -MP -c -o $@ $<
define archive
	$(call say,AR,$@)
	$(Q)rm -rf $@ $@.d && mkdir -p $@.d
	$(Q)printf '%s\n' $(filter %.o,$^) | awk '{ n = $$0; sub("^$(B)/", "", n); gsub("/", "+", n); print "strip --strip-debug -o $@.d/" n " " $$0 }' | sh -e
	$(Q)cd $@.d && ar qcD ../$(@F) $$(LC_ALL=C ls)
endef
KARCHIVES := $(addprefix $(B)/,kernel.a ip6.a without_ip6.a small.a)
$(call cmdline,archives,$(KIP6) $(KWITHOUT) $(KSMALLOBJ))
$(KARCHIVES): $(B)/.cmd-archives
$(B)/kernel.a: $(filter-out $(KIP6),$(KOBJ) $(LWIP_OBJ))
	$(archive)
$(B)/ip6.a: $(KIP6)
	$(archive)
$(B)/without_ip6.a: $(B)/kernel/net/inet_without_ip6.o
	$(archive)
$(B)/small.a: $(KSMALLOBJ)
	$(archive)
-include $(call rwild,$(B)/kernel,*.d) $(call rwild,$(B)/small,*.d) $(call rwild,$(B)/lwip-obj,*.d)

# ---- The command -----------------------------------------------------------------------

-include tool/libs.mk
TSRC     := $(call rwild,tool,*.c)
TOBJ     := $(TSRC:%.c=$(B)/%.o)
TCFLAGS  := -std=gnu17 -O2 -g $(WARN) -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Itool -I. -DPITH_VERSION='"$(VERSION)"' -DPITH_KLDFLAGS='"$(strip $(KLDFLAGS))"'
$(call cmdline,tool,$(HOSTCC) $(TCFLAGS))
$(B)/tool/%.o: tool/%.c $(B)/.cmd-tool
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(TCFLAGS) -MMD -MP -c -o $@ $<
$(B)/pith: $(TOBJ)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -o $@ $(TOBJ) $(TOOL_LIBS)
-include $(call rwild,$(B)/tool,*.d)

# ---- Tests -----------------------------------------------------------------------------

# Kernel sources as a host library, under the sanitizers.
HSRC     := $(filter-out $(KWITHOUT) kernel/mm/heap.c kernel/arch/x86_64/% kernel/boot/% kernel/platform/% kernel/init/%,$(call rwild,kernel,*.c)) kernel/init/bootconf.c
# Assembly that touches nothing but its arguments runs on the host too.
HASM     := kernel/arch/x86_64/sha256_ni.S
HOBJ     := $(HSRC:%.c=$(B)/host/%.o) $(HASM:%.S=$(B)/host/%.S.o) $(LWIP_SRC:%.c=$(B)/host/lwip-obj/%.o)
HCFLAGS  := -std=gnu17 -O1 -g $(WARN) -DPITH_HOST -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
            -fno-strict-aliasing -fwrapv -ffunction-sections -fdata-sections -Ikernel -I. -Itests/unit -DPITH_VERSION='"$(VERSION)"'
$(call cmdline,host,$(HOSTCC) $(HCFLAGS))
$(B)/host/%.o: %.c $(B)/.cmd-host | $(LWIP)/.stamp
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(HCFLAGS) $(if $(filter kernel/net/inet%.c kernel/net/lwip/%,$<),-Ikernel/net/lwip -I$(LWIP)/src/include) -MMD -MP -c -o $@ $<
$(B)/host/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) -c -o $@ $<
$(B)/host/lwip-obj/%.o: $(LWIP)/.stamp $(B)/.cmd-host kernel/net/lwip/lwipopts.h kernel/net/lwip/inet_hooks.h kernel/net/lwip/files.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(filter-out $(WARN),$(HCFLAGS)) -w -fno-sanitize=undefined $(call lwip_flags,$*) -Ikernel/net/lwip -I$(LWIP)/src/include -MMD -MP -c -o $@ $(LWIP)/src/$*.c
$(B)/host/libkernel.a: $(HOBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar crs $@ $(HOBJ)
UNIT     := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*_test.c))
$(B)/unit/%: $(B)/host/tests/unit/%.o $(B)/host/libkernel.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) $(HCFLAGS) -Wl,--gc-sections -o $@ $< $(B)/host/libkernel.a -lcmocka -lpthread
-include $(call rwild,$(B)/host,*.d)

# Programs for the machine: tests/abi and tests/vm, static and otherwise, unmodified Linux programs.
ABI      := $(patsubst tests/abi/%.c,$(B)/abi/%,$(wildcard tests/abi/*.c))
$(B)/abi/%: tests/abi/%.c tests/abi/abi.h
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -Wall -Wextra -D_GNU_SOURCE -static -pthread -Itests/abi -o $@ $<

-include fuzz/fuzz.mk

.PHONY: all kernel tool help run abi-coverage check check-unit check-vm check-apps check-abi check-cli check-fuzz check-crash check-fs check-kill check-kvm check-security check-attacks entropy lint bench bench-quick soak install clean abi unit fuzz
all: kernel tool            ## build the kernel and the command
$(B)/pith.lines: $(B)/pith.elf scripts/kernel-lines
	$(call say,LINES,$@)
	$(Q)scripts/kernel-lines $< >$@
kernel: $(B)/pith.elf $(B)/pith.elf.stripped $(B)/pith.lines $(KARCHIVES) ## build the kernel
tool: $(B)/pith             ## build the command
abi: $(ABI)
abi-coverage: all abi       ## record which calls new programs of tests/abi make, for docs/linux-abi.md
	scripts/abi-coverage --build $(B)
unit: $(UNIT)
run: all                    ## boot a web server as a VM and fetch a page from it
	scripts/demo.sh
check: all unit abi         ## every test: lint, unit, fuzz corpora, command, ABI, budgets, VM
	tests/run --build $(B) all
check-unit: unit            ## unit tests of kernel code on the host, under ASan and UBSan
	tests/run --build $(B) unit
check-abi: all abi          ## system calls: Linux's answers against Pith's
	tests/run --build $(B) abi
check-vm: all abi           ## programs in real VMs
	tests/run --build $(B) vm
check-apps: all             ## long: thirty unmodified programs on 1 and 4 vCPUs; installs their packages
	scripts/setup apps test
	tests/run --build $(B) apps
check-cli: all              ## the command: bad input, reproducible images
	tests/run --build $(B) cli
check-security: all         ## mitigations, refused calls, randomness, from inside and outside the machine
	tests/run --build $(B) security
check-attacks: all          ## long: attacks on a server full of holes, on Linux and on Pith; takes root for Linux
	python3 tests/attacks/attacks.py $(B)
entropy: all                ## long: how random are the addresses of ENTROPY_BOOTS (1000) boots?
	PITH=$(abspath $(B))/pith ENTROPY_BOOTS=$(or $(ENTROPY_BOOTS),1000) tests/security/random.sh
check-crash: $(B)/unit/fs_ext4_crash_test ## long: 12,500 power cuts on ext4 volumes
	PITH_CRASH_CUTS=2500 $(B)/unit/fs_ext4_crash_test
check-kill: all             ## long: 200 machines with databases on volumes killed at odd moments
	scripts/setup apps test
	PITH=$(abspath $(B))/pith KILLS="$${KILLS:-sqlite:80 redis:60 mariadb:60}" sh tests/vm/kill_volume.sh | tee $(B)/kills
	grep -q '^ok' $(B)/kills && ! grep '^not ok' $(B)/kills
check-fs: all               ## long, needs root: a million random operations on Linux's ext4 and on Pith's, and journals that the other left
	B=$(abspath $(B)) PITH=$(abspath $(B))/pith sh tests/fs/differential.sh
check-kvm: all abi          ## long: under KVM's rules, in a nested machine (tests/beds/kvm.md)
	tests/beds/kvm.sh --build $(B)
lint:                       ## the layer rules, formatting of tables, banned words
	scripts/lint
soak: all                   ## a server under load for SOAK_SECONDS (1800): nothing may leak; then the JVM and Go on 4 vCPUs for 600
	sh tests/soak/soak.sh
	SOAK_SECONDS=$${SOAK_LANGUAGES_SECONDS:-600} sh tests/soak/languages.sh
bench-quick: all            ## instructions of boot, operations and HTTP beside budgets, goals and Linux (bench/budgets.tsv); root, half a minute
	bench/budget --build $(B)
bench: all                  ## measure Pith and the tuned Linux guest in turn, write tables and plots into bench/results/ (scripts/setup bench); root
	bench/run
	bench/compare --memory-new
	bench/plot
install: all                ## install under PREFIX (default /usr/local)
	install -D -m 755 $(B)/pith $(DESTDIR)$(PREFIX)/bin/pith
	install -D -m 644 $(B)/pith.elf.stripped $(DESTDIR)$(PREFIX)/lib/pith/kernel.elf
	for f in kernel.ld kernel.map $(notdir $(KARCHIVES)); do install -D -m 644 $(B)/$$f $(DESTDIR)$(PREFIX)/lib/pith/$$f; done
	install -D -m 644 $(B)/pith.lines $(DESTDIR)$(PREFIX)/lib/pith/kernel.lines
	install -D -m 644 $(B)/pith.elf $(DESTDIR)$(PREFIX)/lib/pith/pith.elf.debug
	for f in docs/man/*.[1-9]; do install -D -m 644 $$f $(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$${f##*/}; done
clean:                      ## remove what was built (fetched sources stay)
	find $(B) -mindepth 1 -maxdepth 1 ! -name 'lwip' -exec rm -rf {} +
help:                       ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile fuzz/fuzz.mk | column -t -s @
