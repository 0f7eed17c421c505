# Fuzzing. A target is fuzz/NAME_fuzz.c with LLVMFuzzerTestOneInput; its corpus is fuzz/corpus/NAME/.
#
#   make fuzz T=NAME S=60     libFuzzer (clang) for S seconds; new inputs and crashes go to B/fuzz-work/NAME
#   make fuzz T=syscalls S=60  random system calls from inside machines (fuzz/syscalls.sh)
#   build/fuzz/NAME FILE...   the same target with gcc, over files: what `make check-fuzz` runs

FUZZ_TARGETS := $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c))
FUZZ         := $(FUZZ_TARGETS:%=$(B)/fuzz/%)
$(B)/fuzz/%: $(B)/host/fuzz/%_fuzz.o $(B)/host/fuzz/replay_main.o $(B)/host/libkernel.a
	@mkdir -p $(@D)
	$(HOSTCC) $(HCFLAGS) -Wl,--gc-sections -o $@ $(filter %.o,$^) $(B)/host/libkernel.a -lpthread

# The kernel once more, with clang's coverage for the fuzzer.
CLANG    ?= clang
FCFLAGS  := $(filter-out -Wshadow=local,$(HCFLAGS)) -Wno-unknown-warning-option -fsanitize=fuzzer-no-link
$(call cmdline,fuzz,$(CLANG) $(FCFLAGS))
$(B)/fuzz-obj/%.o: %.c $(B)/.cmd-fuzz | $(LWIP)/.stamp
	@mkdir -p $(@D)
	$(CLANG) $(FCFLAGS) $(if $(filter kernel/net/inet%.c kernel/net/lwip/%,$<),-Ikernel/net/lwip -I$(LWIP)/src/include) -MMD -MP -c -o $@ $<
$(B)/fuzz-obj/lwip-obj/%.o: $(LWIP)/.stamp $(B)/.cmd-fuzz kernel/net/lwip/lwipopts.h
	@mkdir -p $(@D)
	$(CLANG) $(filter-out $(WARN),$(FCFLAGS)) -w -fno-sanitize=undefined $(call lwip_flags,$*) -Ikernel/net/lwip -I$(LWIP)/src/include -MMD -MP -c -o $@ $(LWIP)/src/$*.c
FUZZ_OBJ := $(HSRC:%.c=$(B)/fuzz-obj/%.o) $(HASM:%.S=$(B)/host/%.S.o) $(LWIP_SRC:%.c=$(B)/fuzz-obj/lwip-obj/%.o)
$(B)/fuzz-obj/libkernel.a: $(FUZZ_OBJ)
	rm -f $@; ar crs $@ $(FUZZ_OBJ)
$(B)/fuzz-bin/%: $(B)/fuzz-obj/fuzz/%_fuzz.o $(B)/fuzz-obj/libkernel.a
	@mkdir -p $(@D)
	$(CLANG) $(FCFLAGS) -fsanitize=fuzzer -Wl,--gc-sections -o $@ $^ -lpthread
-include $(call rwild,$(B)/fuzz-obj,*.d)

# The command's reader of manifests, instead of the kernel.
MANIFEST_SRC := $(addprefix tool/,manifest.c manifest_tree.c opts.c opts_check.c rules.c rules_names.c instance/instance.c scan/table.c) \
                $(filter-out tool/util/err.c,$(wildcard tool/util/*.c))
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
$(B)/host/tool/%.o: HCFLAGS = $(TCFLAGS) -O1 $(SANITIZE)
$(B)/fuzz-obj/tool/%.o: FCFLAGS = $(filter-out -Wshadow=local,$(TCFLAGS)) -O1 $(SANITIZE) -fsanitize=fuzzer-no-link
$(B)/fuzz/manifest: $(B)/host/fuzz/manifest_fuzz.o $(B)/host/fuzz/replay_main.o $(MANIFEST_SRC:%.c=$(B)/host/%.o)
	@mkdir -p $(@D)
	$(HOSTCC) $(HCFLAGS) -Wl,--gc-sections -o $@ $^ $(TOOL_LIBS)
$(B)/fuzz-bin/manifest: $(B)/fuzz-obj/fuzz/manifest_fuzz.o $(MANIFEST_SRC:%.c=$(B)/fuzz-obj/%.o)
	@mkdir -p $(@D)
	$(CLANG) $(FCFLAGS) -fsanitize=fuzzer -Wl,--gc-sections -o $@ $^ $(TOOL_LIBS)

# An input that walks a file system has so many features that weighing them takes longer than running it: ext4 goes without.
T ?= $(FUZZ_TARGETS)
S ?= 60
fuzz: $(patsubst %,$(B)/fuzz-bin/%,$(filter-out syscalls,$(T))) $(if $(filter syscalls,$(T)),$(B)/pith $(B)/pith.elf.stripped) ## fuzz targets T (default all) for S seconds each
	$(if $(filter syscalls,$(T)),PITH=$(abspath $(B))/pith fuzz/syscalls.sh $(S))
	for t in $(filter-out syscalls,$(T)); do \
	  case $$t in ext4) flags=-entropic=0 ;; *) flags= ;; esac && \
	  mkdir -p $(B)/fuzz-work/$$t/new && \
	  $(B)/fuzz-bin/$$t -max_total_time=$(S) -timeout=10 -print_final_stats=1 -artifact_prefix=$(B)/fuzz-work/$$t/ \
	    $$flags $(FUZZFLAGS) $(B)/fuzz-work/$$t/new fuzz/corpus/$$t || exit 1; \
	done
check-fuzz: $(FUZZ)         ## the fuzz targets over their corpora, with gcc's sanitizers
	tests/run --build $(B) fuzz
check: $(FUZZ)
