# Build and test the ZooKeeper module for Lua, the HAProxy agent and nerve.
#
#   make              build/nerve and build/lua5.x/zookeeper.so
#   make deps         install what is missing to build and run it (Debian, apt);
#   make deps-demo deps-test deps-soak   and what the demo, the tests, the long
#                     forms need
#   make demo         the sandbox: ZooKeeper, three services, nerve, HAProxy
#   make tour         every step of demo/README.md, compared with what it says
#   make test         every test: check + e2e
#   make check        lint + unit: seconds, what a commit must pass
#   make lint unit sanitize fuzz e2e   the parts; make e2e ONLY=test_reload.py REPEAT=10
#   make e2e-other    the tree on the other Debian: lint, unit, the core of e2e
#   make arm64        the C parts, cross-built, and their unit tests (qemu-user)
#   make mutate       single faults in the source: do the unit tests notice them?
#                     make mutate ONLY=nerve/services MUTANTS=500 SEED=2 JOBS=1
#   make bench        the benchmarks: a table, and build/bench.jsonl
#   make soak         the long forms
#   make picture      the README's picture of the status page, from the demo
#   make keys         the tables of lua/README.md, from the agent's schema
#   make images       the container images: myelin-haproxy, myelin-nerve, and the
#                     sandbox's
#   make deb          the Debian packages haproxy-synapse and nerve, in build/deb
#   make install      into $(DESTDIR)$(PREFIX), configurations into $(DESTDIR)/etc
#   make clean help
#
# Settings, given as `make SANITIZE=address unit`:
#   HAPROXY           the HAProxy to build, test and install for    (haproxy)
#   LUA               the Lua in it, 5.3 or 5.4      (what HAPROXY -vv says)
#   SANITIZE          address, undefined or thread               (none)
#   CC                gcc or clang                               (gcc)
#   V=1               show whole commands
#   TEST_TIMEOUT      factor on every deadline of the tests      (1)
#   E2E_JOBS          end-to-end files that are tested at once        (3)
#   FUZZ_SECONDS      how long make fuzz looks for trouble           (10)
#   FUZZ_SEED         where it begins; 0: anywhere                   (1)
#   MUTANTS           how many faults make mutate tries             (200)
#   SEED              which of them                                   (1)
#   JOBS              how many at once                   (a processor each)
#   IMAGE_BASE        the Debian of make images           (debian:trixie-slim)
#   CONTAINER         what builds them, podman or docker             (podman)
#   DEMO_SECONDS      end the demo by itself after so long       (none)
#   PREFIX DESTDIR    where install puts things                  (/usr/local)

B      := build$(addprefix -,$(SANITIZE))
Q      := $(if $(V),,@)
CC     := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)

SAN  := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
PKGS := libuv libcurl jansson libmicrohttpd

# The Lua in HAProxy decides what is built. Each has a directory: both can be
# built side by side, and a program takes the one of its own _VERSION.
HAPROXY ?= haproxy
ifndef LUA
LUA := $(shell .ci/lua $(HAPROXY) 2>/dev/null)
endif
L := $(B)/lua$(LUA)
export LUA
ifneq ($(HAPROXY),haproxy)
export PATH := $(abspath $(dir $(HAPROXY))):$(PATH)
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
HARD := $(if $(SANITIZE),-O1,-O2 -D_FORTIFY_SOURCE=2) -fstack-protector-strong
ALL_CPPFLAGS = -D_GNU_SOURCE -DTHREADED -DVERSION='"$(VERSION)"' -I. \
               $(shell pkg-config --cflags $(PKGS)) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 -g -fPIC -fvisibility=hidden $(WARN) $(HARD) $(SAN) $(CFLAGS)
RELRO := -Wl,-z,relro -Wl,-z,now
ALL_LDFLAGS = $(RELRO) $(SAN) $(LDFLAGS)

ZK_SRC    := $(wildcard csrc/base/*.c csrc/zookeeper/*.c csrc/haproxy/*.c)
ZK_OBJ    := $(ZK_SRC:%.c=$(B)/obj/%.o)
LUA_OBJ   := $(patsubst %.c,$(L)/obj/%.o,$(wildcard csrc/lua/*.c))
NERVE_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard nerve/*.c nerve/*/*.c))
UNIT      := $(patsubst tests/unit/%.c,$(B)/unit/%,$(shell find tests/unit -name 'test_*.c'))
ifeq ($(SANITIZE),thread)
# It cannot follow a child that shares its parent's memory until exec.
UNIT      := $(filter-out %/checks/test_child,$(UNIT))
endif
FUZZ      := $(patsubst tests/fuzz/%.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH     := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))

ZK_LIBS    := -lzookeeper_mt -lresolv -lpthread
NERVE_LIBS = $(shell pkg-config --libs libuv libcurl jansson libmicrohttpd 2>/dev/null) $(ZK_LIBS) -lm

PYTHON := /usr/bin/python3
PYTEST := $(PYTHON) -B -m pytest -p no:cacheprovider
REPEAT ?= 1
E2E_JOBS ?= 3
BUSTED := env "LUA_PATH=lua/?.lua;;" "LUA_CPATH=$(L)/?.so;;" \
          lua$(LUA) /usr/bin/busted --output=plainTerminal --pattern=_spec
MUTANTS ?= 200
SEED ?= 1
# Most of their time the tests wait: several files at once, each in order.
E2E := $(PYTEST) -v -n $(if $(filter 1,$(words $(ONLY))),0,$(E2E_JOBS)) --dist loadfile
SHELL_FILES := .ci/run .ci/deps .ci/lua demo/completion.bash \
               demo/compose/service demo/compose/zookeeper \
               $(wildcard */*.bash-completion) haproxy/debian/prepare \
               $(wildcard haproxy/debian/*.p[or]*)

# Every Lua that a HAProxy may have.
LUAS := 5.3 5.4
SANITIZERS := address undefined thread
FUZZ_SECONDS ?= 10
FUZZ_SEED ?= 1
INSTALL := install -D -m
# Installed below /etc, where there is none.
CONFIGURATIONS := haproxy/etc/synapse.cfg haproxy/etc/synapse.conf.json nerve/nerve.conf.json
DOCUMENTS := $(wildcard haproxy/*.md) lua/README.md nerve/README.md
C_FILES = $(shell find csrc nerve tests -name '*.[ch]')
LUA_FILES = $(shell find lua/synapse -name '*.lua')

.PHONY: all ready deps deps-demo deps-test demo tour test check lint unit unit-c \
        sanitize fuzz fuzz-c e2e e2e-other arm64 mutate bench soak soak-fuzz \
        soak-e2e soak-other soak-sid soak-images soak-guide picture keys install \
        images deb clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(L)/zookeeper.so $(B)/nerve $(B)/nerve.conf.5 $(B)/synapse.conf.5

# Without the packages it says so in one line.
ready:
	@pkg-config --exists lua$(LUA) $(PKGS) libseccomp 2>/dev/null && \
	  echo '#include <zookeeper/zookeeper.h>' | $(CC) -E - >/dev/null 2>&1 || \
	  { echo "packages are missing: make deps installs them (apt, as root or by sudo)" >&2; exit 1; }

$(B)/obj/%.o: %.c Makefile VERSION | ready
	@echo "CC $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(L)/obj/%.o: %.c Makefile VERSION | ready
	@echo "CC $< for Lua $(LUA)"
	@mkdir -p $(@D)
	$(Q)$(CC) $(shell pkg-config --cflags lua$(LUA)) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(L)/zookeeper.so: $(LUA_OBJ) $(ZK_OBJ)
	@echo "LD $@"
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -o $@ $^ $(ZK_LIBS) -lseccomp

$(B)/nerve: $(NERVE_OBJ) $(ZK_OBJ)
	@echo "LD $@"
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(NERVE_LIBS)

# One text of every key of nerve's configuration, its reference.
$(B)/nerve.conf.5: nerve/config/conf_man.py nerve/README.md VERSION
	@echo "MAN $@"
	@mkdir -p $(@D)
	$(Q)$(PYTHON) nerve/config/conf_man.py $(VERSION) <nerve/README.md >$@

# The agent's, from its schema.
$(B)/synapse.conf.5: lua/conf_man.lua lua/synapse/config/schema.lua VERSION
	@echo "MAN $@"
	@mkdir -p $(@D)
	$(Q)LUA_PATH="lua/?.lua;;" lua$(LUA) lua/conf_man.lua $(VERSION) >$@

# What a unit test links with. A test takes the place of a module by including
# its fake (tests/fake): the archive's own is then left out by the linker.
$(B)/libmyelin.a: $(ZK_OBJ) $(filter-out %/main.o,$(NERVE_OBJ))
	@echo "AR $@"
	$(Q)rm -f $@ && ar qcs $@ $^

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/libmyelin.a
	@echo "LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(NERVE_LIBS)

# There the n-th allocation fails.
$(B)/unit/csrc/zookeeper/test_memory: ALL_LDFLAGS += \
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup

# There the configuration is read when a test says so.
$(B)/unit/nerve/test_daemon: ALL_LDFLAGS += -Wl,--wrap=config_load

# There a directory's list breaks off, and a file is on NFS.
$(B)/unit/csrc/base/test_file: ALL_LDFLAGS += -Wl,--wrap=readdir,--wrap=fstatfs

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/libmyelin.a
	@echo "LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(NERVE_LIBS)

# Only with clang and SANITIZE=fuzzer-no-link,...: see the target `fuzz`.
$(B)/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/libmyelin.a
	@echo "LD $@"
	$(Q)$(CC) -pie -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $^ $(NERVE_LIBS)

# There no name server is asked, and no directory is read.
build/fuzz/fuzz_resolve: ALL_LDFLAGS += -Wl,--wrap=getaddrinfo
build/fuzz/fuzz_config: ALL_LDFLAGS += -Wl,--wrap=scandir

deps:
	$(Q).ci/deps build

deps-demo deps-test deps-soak: deps-%:
	$(Q).ci/deps $*

# $(call step,what): tells a terminal how far the demo or the tour is.
step = @test ! -t 1 || echo "== $(1)"

demo tour:
	$(call step,1 of 3: the packages that it needs)
	$(Q)$(MAKE) --no-print-directory deps-demo
	$(call step,2 of 3: build (the first time a minute))
	$(Q)$(MAKE) --no-print-directory all
	$(call step,3 of 3: demo/$(@:demo=run))
	$(Q)demo/$(@:demo=run)

test: deps-test
	$(Q)$(PYTHON) tests/run.py lint unit sanitize fuzz e2e e2e-other

check: lint unit

lint:
	@clang-format --dry-run -Werror $(C_FILES)
	$(Q)for std in lua53 lua54; do LUACHECK_STD=$$std luacheck -q --no-color \
	  csrc lua haproxy tests haproxy/synapse-haproxy-cfg haproxy/synapsectl || exit 1; done
	shellcheck $(SHELL_FILES)
	$(PYTHON) -B tests/lint/arrows.py
	+$(Q)for lua in $(LUAS); do \
	  $(MAKE) --no-print-directory B=build/clang CC=clang LUA=$$lua all || exit 1; done

PICTURE ?= haproxy/status.png
picture: deps-test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(PYTHON) -B tests/e2e/picture.py $(PICTURE)

keys:
	LUA_PATH="lua/?.lua;;" lua5.3 lua/keys.lua

# Under the other Lua: e2e-other. (Debian 12 has no lua-posix for 5.4.)
unit: all unit-c
	$(Q)$(BUSTED) tests/unit
	$(Q)$(PYTEST) -q tests/unit

# The C unit tests once more, under each sanitizer.
sanitize:
	+$(Q)for kind in $(SANITIZERS); do \
	  $(MAKE) --no-print-directory SANITIZE=$$kind unit-c || exit 1; done

unit-c: $(UNIT)
	$(Q)$(PYTHON) tests/unit/run.py $(UNIT)

# Random input to all that reads what others wrote, for FUZZ_SECONDS together.
fuzz: all
	+$(Q)$(MAKE) --no-print-directory B=build/fuzz CC=clang \
	  SANITIZE=fuzzer-no-link,address,undefined \
	  CFLAGS=-fno-sanitize-recover=all fuzz-c
	$(Q)FUZZ_SEED=$(FUZZ_SEED) $(PYTHON) tests/fuzz/run.py $(FUZZ_SECONDS)

fuzz-c: $(FUZZ)

# Judges whether everybody can use the status page.
AXE := build/axe/node_modules/axe-core/axe.min.js
$(AXE):
	@echo "NPM axe-core"
	$(Q)npm install --loglevel=error --no-save --no-audit --no-fund --ignore-scripts \
	  --prefix build/axe axe-core@4.10.3

# Those of ROLLING need the root of the other Debian: e2e-other runs them. GUIDE
# boots four machines, for minutes: soak runs it.
ROLLING := test_rolling.py
GUIDE := test_guide.py
E2E_FILES = $(filter-out $(ROLLING) $(GUIDE),$(notdir $(wildcard tests/e2e/test_*.py)))
e2e: all $(BENCH)
	$(Q)for i in $$(seq $(REPEAT)); do \
	  $(E2E) $(addprefix tests/e2e/,$(or $(ONLY),$(E2E_FILES))) || exit 1; done

# On a Debian 12 the other is 13, on a 13 it is 12.
OTHER := service start reload restored slots session names placing guard cli \
         status lockdown upgrade packages cluster
e2e-other:
	$(Q)ONLY="$(or $(ONLY),$(OTHER:%=test_%.py))" $(PYTHON) tests/other.py lint unit e2e
	$(if $(ONLY),,$(Q)$(MAKE) --no-print-directory e2e ONLY=$(ROLLING))

arm64: deps-soak
	$(Q)$(PYTHON) tests/arm64.py

mutate:
	$(Q)BUSTED='$(BUSTED)' LUAC=luac$(LUA) $(PYTHON) -B tests/mutate/mutate.py \
	  --mutants $(MUTANTS) --seed $(SEED) $(if $(JOBS),--jobs $(JOBS)) $(ONLY)

bench: all $(BENCH)
	$(Q)$(PYTHON) tests/bench/run.py

# The long forms of tests that have a short one in `make test`.
SOAK := soak-images soak-guide soak-fuzz soak-e2e soak-other soak-sid
soak: deps-soak
	$(Q)$(PYTHON) tests/run.py arm64 $(SOAK)

soak-fuzz:
	$(Q)$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=600 FUZZ_SEED=0

soak-e2e:
	$(Q)HOLD_SECONDS=30 CHECKS=100000 SCALE=2 CHANGES=200000 EXPIRIES=1000 \
	  RELOADS=200 CHAOS_SECONDS=1200 $(MAKE) --no-print-directory e2e E2E_JOBS=0

# Each command of haproxy/GUIDE.md and OPERATE.md.
soak-guide:
	$(Q)$(MAKE) --no-print-directory e2e ONLY=$(GUIDE)

# The images, built on a Debian 13 that is made once, and run by podman.
soak-images: all
	$(Q)$(PYTEST) -v tests/images

# HAProxy deletes no server safely before 3.2.
soak-sid: export DELETIONS := 100000
soak-other soak-sid:
	$(Q)$(PYTHON) tests/other.py $(if $(@:soak-other=),--sid) lint unit e2e

# $(call put,mode,file,place), a line for each file.
to = $(DESTDIR)$(PREFIX)
define put
	@echo "INSTALL $(to)/$(3)"
	$(Q)$(INSTALL) $(1) $(2) $(to)/$(3)

endef

install: all
	$(call put,755,$(B)/nerve,bin/nerve)
	$(call put,755,haproxy/synapse-haproxy-cfg,bin/synapse-haproxy-cfg)
	$(call put,755,haproxy/synapsectl,bin/synapsectl)
	$(Q)sed -i '1s,.*,#!/usr/bin/lua$(LUA),' $(to)/bin/synapse-haproxy-cfg $(to)/bin/synapsectl
	$(call put,644,nerve/nerve.8,share/man/man8/nerve.8)
	$(call put,644,$(B)/nerve.conf.5,share/man/man5/nerve.conf.5)
	$(call put,644,$(B)/synapse.conf.5,share/man/man5/synapse.conf.5)
	$(call put,644,nerve/nerve-ctl.1,share/man/man1/nerve-ctl.1)
	$(call put,644,haproxy/synapse-haproxy-cfg.1,share/man/man1/synapse-haproxy-cfg.1)
	$(call put,644,haproxy/synapsectl.1,share/man/man1/synapsectl.1)
	$(call put,644,nerve/nerve.bash-completion,share/bash-completion/completions/nerve)
	$(call put,644,haproxy/synapse-haproxy-cfg.bash-completion,share/bash-completion/completions/synapse-haproxy-cfg)
	$(call put,644,haproxy/synapsectl.bash-completion,share/bash-completion/completions/synapsectl)
	$(call put,644,nerve/nerve.sysusers,lib/sysusers.d/nerve.conf)
	$(call put,644,nerve/nerve.service,lib/systemd/system/nerve.service)
	$(Q)sed -i 's,/usr/local/bin,$(PREFIX)/bin,' $(to)/lib/systemd/system/nerve.service
	$(call put,644,haproxy/etc/synapse.tmpfiles,lib/tmpfiles.d/synapse.conf)
	$(call put,644,haproxy/etc/haproxy.service.conf,lib/systemd/system/haproxy.service.d/synapse.conf)
	$(call put,755,$(L)/zookeeper.so,lib/lua/$(LUA)/zookeeper.so)
	$(foreach file,$(LUA_FILES),$(call put,644,$(file),share/lua/$(LUA)/$(file:lua/%=%)))
	$(foreach file,synapse.lua haproxy.cfg status.html alerts.yml grafana.json,$(call put,644,haproxy/$(file),share/myelin/$(file)))
	$(foreach file,$(DOCUMENTS),$(call put,644,$(file),share/myelin/doc/$(file)))
	$(Q)for file in $(CONFIGURATIONS); do to=$(DESTDIR)/etc/$${file%%/*}/$${file##*/}; \
	  if test -e $$to; then echo "KEEP $$to"; else echo "INSTALL $$to"; \
	  $(INSTALL) 644 $$file $$to && sed -i 's,/usr/local,$(PREFIX),' $$to; fi || exit 1; done

# Health checks are in Docker's format of an image alone.
CONTAINER ?= podman
IMAGE_BASE ?= docker.io/library/debian:trixie-slim
images: export BUILDAH_FORMAT := docker
images:
	$(Q)for folder in haproxy/image nerve/image demo/compose; do \
	  case $$folder in demo/*) name=sandbox;; *) name=$${folder%/*};; esac; \
	  $(CONTAINER) build --build-arg BASE=$(IMAGE_BASE) \
	    -f $$folder/Containerfile -t myelin-$$name . || exit 1; done

# The packages haproxy-synapse and nerve, of the version DEB_VERSION, in build/deb.
# Those with debug symbols lie apart, so that build/deb/*.deb is what one installs.
DEB_VERSION ?= $(VERSION)
DEB_TREE := $(or $(DEB_DIR),build/deb)/myelin-$(DEB_VERSION)
DEB_FILES := .ci csrc haproxy lua nerve CHANGELOG.md LICENSE Makefile VERSION

deb:
	@{ command -v dh && command -v g++; } >/dev/null || \
	  { echo "packages are missing: apt-get install build-essential debhelper" >&2; exit 1; }
	$(Q)rm -rf $(DEB_TREE)
	$(Q)mkdir -p $(DEB_TREE)
	$(Q)cp -r $(DEB_FILES) $(DEB_TREE)
	$(Q)mv $(DEB_TREE)/haproxy/debian $(DEB_TREE)
	$(Q)echo $(DEB_VERSION) >$(DEB_TREE)/VERSION
	$(Q)cd $(DEB_TREE)/debian && ./prepare $(DEB_VERSION) $(LUA)
	$(Q)cd $(DEB_TREE) && dpkg-buildpackage -us -uc -b -J
	$(Q)mkdir -p $(DEB_TREE)/../debug
	$(Q)find $(DEB_TREE)/.. -maxdepth 1 -name '*-dbgsym_$(DEB_VERSION)_*.deb' \
	  -exec mv -t $(DEB_TREE)/../debug {} +

clean:
	rm -rf build build-*

help:
	@sed -ne '/^#/!q; s/^# \{0,1\}//p' Makefile

-include $(shell find $(B)/obj $(L)/obj -name '*.d' 2>/dev/null)
