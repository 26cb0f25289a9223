# Bootferry.  `make help` lists the targets.
#
# Output goes below $(B).  SAN=address,undefined builds beside the plain build, not over it;
# so does CC=clang.

ifeq ($(origin CC),default)
CC := gcc
endif
Q        := $(if $(V),,@)
CFLAGS   ?= -O2 -g
SAN      ?=
FUZZ_S   ?= 60
DESTDIR  ?=
PREFIX   ?= /usr
LIBEXEC  ?= $(PREFIX)/libexec/bootferry
SYSCONF  ?= /etc
UNITDIR  ?= /lib/systemd/system
SYSUSERS ?= $(PREFIX)/lib/sysusers.d
TMPFILES ?= $(PREFIX)/lib/tmpfiles.d
DOCDIR   ?= $(PREFIX)/share/doc/bootferry
NNG_LIBS ?= -lnng

comma := ,
B := build$(if $(filter clang%,$(notdir $(firstword $(CC)))),/clang)$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

PKGS := jansson libcurl libmicrohttpd openssl sqlite3 libsystemd
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
endif

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wformat=2 -Wpointer-arith -Wundef -Werror
HARDEN := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(HARDEN) $(PKG_CFLAGS) $(CFLAGS) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))
LIBS := $(NNG_LIBS) $(PKG_LIBS) -lpthread

# --- what each room holds; pure files first -------------------------------------------------

common_PURE := wire ident arch fields msg config path counters bus_url loader image origins form \
	verdict hook bus_events bus_frame params relay_info dhcp dhcp6 pxe reply reply6 hex json_text \
	hash rival rival_table finding netcheck quote
common_EDGE  := log loop loop_thread bus_nng bus_pipe bus_stream bus_local bus_client bus_server \
	local_socket priv start rpc sockaddr content digest \
	front sandbox child bus_link http \
	netfacts probe_tftp probe_web

dhcpproxyd_PURE := frame rate seen servers rtnl links diag emulated
dhcpproxyd_EDGE := conf listen tap sender netlink holders ports networks hold drops limits probe watch \
	nets6 listen6 proxy6 selftest checkup dhcpproxyd

tftpd_PURE := tftp opt transfer outcome paths load
tftpd_EDGE := conf served clients listen batch queue session worker tftpd

handlerd_PURE := boots services decide script record identity index texts machines rows filing \
	match learn sharing cidr referral targets targets_conf token token_uses adapt adapt_dump \
	token_conf loops breaker ws_cache ws ws_bootferry ws_pixiecore ws_decode entry entry_conf \
	firmware styles styles_dump \
	names plan native decide_native hive bcd decide_windows \
	script_params script_entry script_menu pattern rules rules_names rules_match rules_explain rules_conf policy policy_conf judge \
	decide_offer decide_boot explain told extra selftest admission transfers roots
handlerd_EDGE := conf journal sql store store_query store_schema store_machines inventory \
	catalogue watch control control_machines control_dhcp quirks handlerd spawner worker workers keyring token_file probe \
	webservice_conf ws_client ws_reports webservice notes folders lookup gather sources inquire reload \
	recall report control_decide rivalry guard control_quirks control_transfers control_roots

httpsbootd_PURE := keep resume hops shelf route range reqhead gate head httpdate filehead pace crowd access_line tls_failure expiry
httpsbootd_EDGE := pull_disk pull_room pull_take pull_resume pull_ring pull_keeper pull_end pull_fetch pull \
	conf tls_chain tls_pair kept tls_tickets tls_settings certificates tls stream stream_body watch access_log pulling answer \
	question exchange exchange_end serve httpsbootd

DAEMONS := dhcpproxyd tftpd httpsbootd handlerd

# --------------------------------------------------------------------------------------------

ferryctl_PURE := dhcp_options_plan dhcp_options_kea dhcp_options_isc dhcp_options_dnsmasq \
	dhcp_options_microsoft dhcp_options_mikrotik dhcp_options_cisco \
	emulate emulate_offer emulate_judge emulate_pxe emulate_ipxe \
	ca_judge stamp
ferryctl_EDGE := client table show machines publish images fetch loaders loaders_scan loaders_stamp \
	ca ca_names ca_make ca_store ca_chain ca_pair ca_roll ca_roots ca_facts ca_check ca_cross script capture \
	decide explain rivals dhcp_options segment doctor doctor_clients doctor_judge doctor_print \
	quirks transfers cache

PROGRAMS := $(DAEMONS) ferryctl

ROOMS := common $(PROGRAMS)
OBJS = $(foreach f,$($(1)_PURE) $($(1)_EDGE),$(B)/$(1)/$(f).o)
PURE_OBJS := $(foreach r,$(ROOMS),$(foreach f,$($(r)_PURE),$(B)/$(r)/$(f).o))
BINS := $(foreach d,$(PROGRAMS),$(B)/bin/$(d))
TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(foreach r,$(ROOMS),$(wildcard tests/$(r)/test_*.c)))

.PHONY: all check suite bench fuzz fuzzers docs docs-check pure format format-check lint install clean help
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BINS) $(foreach r,$(ROOMS),$(B)/lib/lib$(r).a)

help:
	@echo 'all           the daemons and ferryctl, in $(B)/bin'
	@echo 'check         unit tests, fuzz corpora, purity, docs; SAN=address,undefined beside it'
	@echo 'suite         whole daemons in network namespaces, with real firmware (root)'
	@echo 'fuzz          libFuzzer on each decoder, FUZZ_S=$(FUZZ_S) seconds each (clang)'
	@echo 'bench         against peers, side by side (root)'
	@echo 'lint          clang-tidy, cppcheck, shellcheck, clang-format'
	@echo 'pure format docs install clean'
	@echo 'CC=clang and SAN=... build beside the plain build; V=1 shows commands'

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $@")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define room
$(B)/lib/lib$(1).a: $(call OBJS,$(1))
	@mkdir -p $$(@D)
	$(Q)rm -f $$@
	$(if $(V),,@echo "  AR    $$@")
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

define program
$(B)/bin/$(1): $(B)/$(1)/main.o $(B)/lib/lib$(1).a $(B)/lib/libcommon.a
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LD    $$@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(LIBS)
endef
$(foreach d,$(PROGRAMS),$(eval $(call program,$(d))))

# what several tests of a room share
common_TEST := packets
dhcpproxyd_TEST := netlinks
httpsbootd_TEST := certs

# a test links the library of its room
$(B)/tests/common/%: $(B)/tests/common/%.o $(B)/tests/test.o \
    $(foreach f,$(common_TEST),$(B)/tests/common/$(f).o) $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# tests that need a web service
$(B)/tests/common/test_http $(B)/tests/handlerd/test_webservice $(B)/tests/handlerd/test_probe: $(B)/tests/service.o

# tests that decide
$(patsubst %.c,$(B)/%,$(wildcard tests/handlerd/test_decide*.c)): $(B)/tests/handlerd/deciding.o
$(patsubst %.c,$(B)/%,$(wildcard tests/handlerd/test_decide*.c)) $(B)/tests/handlerd/test_native $(B)/tests/handlerd/test_bcd $(B)/tests/handlerd/test_judge $(B)/tests/handlerd/test_explain: $(B)/tests/stock.o

define room_tests
$(B)/tests/$(1)/%: $(B)/tests/$(1)/%.o $(B)/tests/test.o \
    $(foreach f,$($(1)_TEST),$(B)/tests/$(1)/$(f).o) $(B)/lib/lib$(1).a $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $$@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $(LIBS)
endef
$(foreach d,$(PROGRAMS),$(eval $(call room_tests,$(d))))

# captures of real firmware, replayed
STOCK_LIBS := $(foreach d,ferryctl dhcpproxyd tftpd handlerd httpsbootd common,$(B)/lib/lib$(d).a)
$(B)/tests/replay: $(B)/tests/replay.o $(B)/tests/stock.o $(STOCK_LIBS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lpcap

# --- fuzzing: make check runs the corpora, make fuzz looks for more -------------------------

FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SAN := address,undefined,fuzzer-no-link

$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/tests/fuzz/text.o \
    $(B)/tests/stock.o $(STOCK_LIBS)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/text.o $(B)/tests/stock.o $(STOCK_LIBS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

fuzzers: $(FUZZERS:%=$(B)/fuzz/%)

fuzz:
	@$(MAKE) --no-print-directory CC=clang SAN=$(FUZZ_SAN) fuzzers
	@tests/fuzz/run $(FUZZ_S) build/clang/san-$(subst $(comma),-,$(FUZZ_SAN))/fuzz $(FUZZERS)

# --- load for the benchmarks ----------------------------------------------------------------

LOADS := $(B)/tests/bench/dhcp_load $(B)/tests/bench/tftp_load
$(B)/tests/bench/tftp_load: $(foreach f,tftp_load_conf express fetch pattern,$(B)/tests/bench/$(f).o)
$(LOADS): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/lib/libdhcpproxyd.a $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

HANDLER_LOADS := $(B)/tests/bench/machines $(B)/tests/bench/worker_load $(B)/tests/bench/decide_load
$(HANDLER_LOADS): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/lib/libhandlerd.a $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

HTTP_LOADS := $(B)/tests/bench/https_load
$(HTTP_LOADS): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --------------------------------------------------------------------------------------------

# the loads too, which otherwise break unseen
check: $(BINS) $(TESTS) $(B)/tests/replay $(FUZZERS:%=$(B)/tests/fuzz/fuzz_%) $(LOADS) $(HANDLER_LOADS) \
    $(HTTP_LOADS) pure docs-check
	@tests/run $(B) $(TESTS) "tests/captures $(B)/tests/replay" \
	    "tests/samples $(B)/bin/ferryctl" "tests/bench/check_loads $(B)/tests/bench" \
	    $(foreach f,$(FUZZERS),"$(B)/tests/fuzz/fuzz_$(f) tests/fuzz/corpus/$(f)")

# plays handlerd's part in tests of the front daemons
$(B)/tests/suite/fake_handlerd: $(B)/tests/suite/fake_handlerd.o $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# a bad network
$(B)/tests/suite/lossy: $(B)/tests/suite/lossy.o $(B)/tests/suite/lossy_flow.o $(B)/tests/suite/lossy_rules.o
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

suite: all $(B)/tests/suite/fake_handlerd $(B)/tests/suite/lossy $(B)/tests/bench/tftp_load
	tests/suite/run

bench: all $(LOADS) $(HANDLER_LOADS) $(HTTP_LOADS)
	tests/bench/run

# --- documents that come from the tables of configuration keys ------------------------------

$(B)/docs/document: $(B)/docs/document.o $(foreach d,$(DAEMONS),$(B)/lib/lib$(d).a) $(B)/lib/libcommon.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

docs: $(B)/docs/document
	$< config >docs/config.md
	$< handlerd >deploy/config/handlerd.json
	$< subnet >deploy/config/subnet.json

docs-check: $(B)/docs/document
	@$< config | diff -u docs/config.md - && $< handlerd | diff -u deploy/config/handlerd.json - && \
	    $< subnet | diff -u deploy/config/subnet.json - || { echo 'run "make docs"'; exit 1; }

# Codecs and decisions must not reach for sockets, files, the clock, the log or the bus.
pure: $(PURE_OBJS)
	@tests/pure $(PURE_OBJS)

FORMATTED := $(wildcard docs/*.[ch] common/*.[ch] dhcpproxyd/*.[ch] tftpd/*.[ch] httpsbootd/*.[ch] \
	handlerd/*.[ch] ferryctl/*.[ch] tests/*.[ch] tests/*/*.[ch])

install: all
	install -d $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) \
	    $(DESTDIR)$(SYSUSERS) $(DESTDIR)$(TMPFILES) $(DESTDIR)$(DOCDIR)/examples \
	    $(DESTDIR)$(SYSCONF)/bootferry/subnet
	install -m 755 $(foreach d,$(DAEMONS),$(B)/bin/$(d)) $(DESTDIR)$(LIBEXEC)
	install -m 755 $(B)/bin/ferryctl $(DESTDIR)$(PREFIX)/bin
	for unit in deploy/systemd/*; do \
	    sed 's|/usr/libexec/bootferry/|$(LIBEXEC)/|; s|/etc/bootferry/|$(SYSCONF)/bootferry/|' "$$unit" \
	        >$(DESTDIR)$(UNITDIR)/"$${unit##*/}" || exit 1; done
	install -m 644 deploy/sysusers.d/bootferry.conf $(DESTDIR)$(SYSUSERS)
	install -m 644 deploy/tmpfiles.d/bootferry.conf $(DESTDIR)$(TMPFILES)
	install -m 644 deploy/config/*.json $(DESTDIR)$(DOCDIR)/examples
	install -d $(DESTDIR)$(DOCDIR)/examples/scripts
	cp -p deploy/scripts/* $(DESTDIR)$(DOCDIR)/examples/scripts
	install -m 644 README.md docs/*.md docs/openapi.json LICENSE $(DESTDIR)$(DOCDIR)
	[ -e $(DESTDIR)$(SYSCONF)/bootferry/handlerd.json ] || \
	    echo '{}' >$(DESTDIR)$(SYSCONF)/bootferry/handlerd.json

format:
	clang-format -i $(FORMATTED)

format-check:
	@clang-format --dry-run -Werror $(FORMATTED)

LINTED := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c)) docs/document.c
SCRIPTS := tests/fuzz/run tests/run tests/pure tests/captures deploy/payload deploy/quickstart .ci/run \
	deploy/scripts/subnet-images.sh

# cppcheck does not read system headers: it is told what jansson's loops are
lint: format-check
	@printf '%s\n' $(LINTED) | xargs -P "$$(nproc)" -n 1 sh -c 'clang-tidy --quiet "$$@" \
	    -- -std=gnu11 -D_GNU_SOURCE -I. $(PKG_CFLAGS) 2>/dev/null' lint
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	    --inline-suppr --suppress=missingInclude -D_GNU_SOURCE -I. -j "$$(nproc)" \
	    '-Djson_array_foreach(a,i,v)=while((v=json_array_get(a,i)))' \
	    '-Djson_object_foreach(o,k,v)=while((k=json_next(o,k))&&(v=json_object_get(o,k)))' $(LINTED)
	@shellcheck $(SCRIPTS)
	@echo 'lint: nothing found'

clean:
	rm -rf build

-include $(foreach d,$(ROOMS) $(ROOMS:%=tests/%) tests tests/fuzz tests/bench tests/suite docs,$(wildcard $(B)/$(d)/*.d))
