# What one does with Tollkeeper, each as one command. On Debian 12 nothing but git and make is
# needed: what is missing is installed first (.ci/packages).

PREFIX ?= /usr/local
DESTDIR ?=
TARGET ?= line
SECONDS ?= 60

PYTHON := /usr/bin/python3
release := build/release
fuzz_targets = $(sort $(patsubst tests/fuzz/%_fuzz.cc,%,$(wildcard tests/fuzz/*_fuzz.cc)))

# Twelve sources are compiled as one: what they include is read once, and a whole build takes half
# of the time or less. One compilation then takes 0.7 GB; larger ones would keep fewer cores busy
# and ask too much of a small machine.
unity := -Dunity=on -Dunity_size=12

rooms := engine net config daemon systemd bench pages tests
sources = $(shell find $(rooms) -name '*.h' -o -name '*.cc')

# A sanitizer build is slower and gets more time; what checks the text of the sources runs only
# once. To optimize would take longer than it saves: the tests wait more than they compute.
patient := --timeout-multiplier 5 --no-suite tidy
# Old thread sanitizers do not know how new kernels lay out memory at random; in order, they do.
steady = $(shell setarch -R true 2>/dev/null && echo setarch -R)

.DEFAULT_GOAL := build
.PHONY: help run test build bench fuzz format lint asan tsan soak soak-real install clean
.PHONY: packages-run packages-test packages-lint packages-fuzz
.NOTPARALLEL:

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16
	@echo "Fuzz targets: $(fuzz_targets)" | fold -s -w 90

run: build ## Start tollkeeperd in the foreground, built and with what it needs
	@echo "The programs are in $(CURDIR)/$(release)"
	@exec $(release)/tollkeeperd

build: packages-run $(release)/build.ninja ## Build the three programs into build/release
	@ninja -C $(release) tollkeeperd tollkeeper tollkeeper-bench

test: packages-test $(release)/with-tests ## Build and run every test; the last line counts them
	@ninja -C $(release)
	@$(PYTHON) tests/run.py $(release)

bench: build ## The published comparison into bench/results; some eight minutes
	@ninja -C $(release) bench/shard_bench
	@$(release)/tollkeeper-bench --suite bench/results --spawn $(release)/tollkeeperd \
	  --shard-bench $(release)/bench/shard_bench --seconds 5 --warmup 0.5

# What is tested is compiled with fuzzer-no-link, or the fuzzer would see nothing but the target.
fuzz: packages-fuzz ## By coverage: TARGET=line SECONDS=60 (all targets are named below)
	@[ -e tests/fuzz/$(TARGET)_fuzz.cc ] || \
	  { echo "no fuzz target $(TARGET); there are: $(fuzz_targets)" >&2; exit 2; }
	@[ -e build/fuzz/build.ninja ] || CXX=clang++-19 meson setup build/fuzz -Dtests=enabled \
	  -Dlibfuzzer=true -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false \
	  -Dwerror=false -Dcpp_args=-fsanitize=fuzzer-no-link
	@ninja -C build/fuzz tests/fuzz/$(TARGET)_fuzz
	@mkdir -p build/fuzz/found/$(TARGET)
	@cd build/fuzz && UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
	  tests/fuzz/$(TARGET)_fuzz -max_total_time=$(SECONDS) found/$(TARGET) \
	  ../../tests/fuzz/corpus/$(TARGET)

asan: packages-test ## Every test under the address and undefined-behaviour sanitizers
	@[ -e build/asan/build.ninja ] || meson setup build/asan -Dtests=enabled $(unity) \
	  -Doptimization=0 -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build/asan
	@ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=1 \
	  UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
	  $(PYTHON) tests/run.py build/asan $(patient)

# Thread sanitizer cannot see what a ring orders, so it watches the epoll back-end.
tsan: packages-test ## Every test under the thread sanitizer, on epoll
	@[ -e build/tsan/build.ninja ] || meson setup build/tsan -Dtests=enabled $(unity) \
	  -Doptimization=0 -Db_sanitize=thread -Db_lundef=false
	@ninja -C build/tsan
	@TSAN_OPTIONS=halt_on_error=1:abort_on_error=1:second_deadlock_stack=1 \
	  TOLLKEEPER_SERVER_BACKEND=epoll \
	  $(steady) $(PYTHON) tests/run.py build/tsan $(patient)

# For ever, unless SECONDS was given.
soak: packages-test $(release)/with-tests ## The simulator on all cores, endless, or SECONDS=3600
	@ninja -C $(release) tests/sim/tollkeeper-sim
	@$(PYTHON) tests/sim/soak.py $(release)/tests/sim/tollkeeper-sim \
	  $(if $(filter file,$(origin SECONDS)),,$(SECONDS))

# For ever, unless SECONDS was given; TOLL_SEED=... begins as a run that said so did.
soak-real: packages-test build ## Faults with real processes, endless; SECONDS=600, TOLL_SEED=...
	@$(PYTHON) tests/fault/soak_real.py $(if $(filter file,$(origin SECONDS)),,--seconds $(SECONDS))

# In a directory that names each source by itself. Nothing is built there but what is generated.
lint: packages-lint ## clang-format and clang-tidy; changes nothing
	@[ -e build/lint/build.ninja ] || meson setup build/lint -Dtests=enabled
	@ninja -C build/lint lua/scripts.cc
	@$(PYTHON) tests/tidy/lint.py build/lint

format: packages-lint ## Rewrite the sources as .clang-format says
	@clang-format-19 -i $(sources)

install: build ## Install below PREFIX (/usr/local); DESTDIR goes before it, for packagers
	@meson configure $(release) -Dprefix=$(PREFIX) -Dsysconfdir=/etc
	@ninja -C $(release) tollkeeperd tollkeeper tollkeeper-bench manual
	@DESTDIR=$(DESTDIR) meson install -C $(release) --no-rebuild --quiet
	@echo "Installed below $(DESTDIR)$(PREFIX). To start it as a service: systemd-sysusers," \
	  "systemd-tmpfiles --create, systemctl daemon-reload, systemctl enable --now tollkeeper"

clean: ## Remove everything that was built
	@rm -rf build

packages-run packages-test packages-lint packages-fuzz:
	@.ci/packages $(@:packages-%=%)

$(release)/build.ninja: | packages-run
	@meson setup $(release) $(unity)

# The same build directory, once GoogleTest is there.
$(release)/with-tests: | packages-test $(release)/build.ninja
	@meson configure $(release) -Dtests=enabled
	@touch $@
