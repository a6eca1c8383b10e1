# Build and test the ZooKeeper module for Lua, the HAProxy agent and nerve.
#
#   make              build/zookeeper.so and build/nerve
#   make deps         install the Debian packages that are missing (apt)
#   make demo         the sandbox: ZooKeeper, three services, nerve, HAProxy
#   make test         every test: check + e2e
#   make check        lint + unit: seconds, what a commit must pass
#   make lint unit e2e            the parts; make e2e ONLY=test_reload.py REPEAT=10
#   make bench        the benchmarks: a table, and build/bench.jsonl
#   make soak         the long forms
#   make install      into $(DESTDIR)$(PREFIX)
#   make clean help
#
# Settings, given as `make SANITIZE=address unit`:
#   SANITIZE          address, undefined or thread               (none)
#   CC                gcc or clang                               (gcc)
#   V=1               show whole commands
#   TEST_TIMEOUT      factor on every deadline of the tests      (1)
#   DEMO_SECONDS      end the demo by itself after so long       (none)
#   PREFIX DESTDIR    where install puts things                  (/usr/local)

B      := build$(addprefix -,$(SANITIZE))
Q      := $(if $(V),,@)
CC     := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)

SAN  := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
PKGS := lua5.3 libuv libcurl jansson

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
HARD := $(if $(SANITIZE),-O1,-O2 -D_FORTIFY_SOURCE=2) -fstack-protector-strong
ALL_CPPFLAGS = -D_GNU_SOURCE -DTHREADED -DVERSION='"$(VERSION)"' -I. \
               $(shell pkg-config --cflags $(PKGS)) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 -g -fPIC -fvisibility=hidden $(WARN) $(HARD) $(SAN) $(CFLAGS)
RELRO := -Wl,-z,relro -Wl,-z,now
ALL_LDFLAGS = $(RELRO) $(SAN) $(LDFLAGS)

LUA_SRC   := $(wildcard csrc/lua_*.c)
ZK_SRC    := $(filter-out $(LUA_SRC),$(wildcard csrc/*.c))
ZK_OBJ    := $(ZK_SRC:%.c=$(B)/obj/%.o)
LUA_OBJ   := $(LUA_SRC:%.c=$(B)/obj/%.o)
NERVE_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard nerve/*.c))
UNIT      := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
BENCH     := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))

ZK_LIBS    := -lzookeeper_mt -lpthread
NERVE_LIBS := $(shell pkg-config --libs libuv libcurl jansson 2>/dev/null) $(ZK_LIBS) -lm

PYTHON := /usr/bin/python3
PYTEST := $(PYTHON) -m pytest -p no:cacheprovider

.PHONY: all deps demo test check lint unit e2e bench soak install clean help
.DELETE_ON_ERROR:

all: $(B)/zookeeper.so $(B)/nerve

$(B)/obj/%.o: %.c Makefile VERSION
	@echo "CC $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/zookeeper.so: $(LUA_OBJ) $(ZK_OBJ)
	@echo "LD $@"
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -o $@ $^ $(ZK_LIBS)

$(B)/nerve: $(NERVE_OBJ) $(ZK_OBJ)
	@echo "LD $@"
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(NERVE_LIBS)

# What a unit test links with. A test takes the place of a module by including
# its fake (tests/fake): the archive's own is then left out by the linker.
$(B)/libmyelin.a: $(ZK_OBJ) $(filter-out %/main.o,$(NERVE_OBJ))
	@echo "AR $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/libmyelin.a
	@echo "LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(NERVE_LIBS)

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/libmyelin.a
	@echo "LD $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(NERVE_LIBS)

clean:
	rm -rf build build-*

help:
	@sed -ne '/^#/!q; s/^# \{0,1\}//p' Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)
