# Every command sets up what it needs by itself. Needed beforehand: make, a C linker, curl, Rust by rustup, Node 20 or newer.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help start demo test chat bench load soak fuzz hub tools prerequisites

# On a build machine the lock file must already be right.
LOCKED := $(if $(CI),--locked)
XTASK := target/tools/xtask
FUZZ_TARGETS ?= json event x_matrix request hub
FUZZ_SECONDS ?= 300
KILLS ?= 200
SEEDS ?= 5000
# One folder for all builds, also where the environment names another: steps find tools and module in it.
export CARGO_TARGET_DIR := $(CURDIR)/target
export CARGO_TERM_COLOR ?= auto

# With the time of day, so that a log shows what took how long.
step = @printf '\n==> %s (%s)\n' "$(1)" "$$(date +%T)"

help:
	@echo 'make start   a hub on http://127.0.0.1:8787; HUBLET_PORT, HUBLET_NAME and HUBLET_DATA say otherwise'
	@echo 'make demo    the site: rooms between tabs, on http://127.0.0.1:8780'
	@echo 'make test    every test: native, WebAssembly in Node and in Chromium, the npm package, the worker'
	@echo 'make chat    a hub and two participants hold a conversation; KEEP=1 lets you type for them, PORTS=8790,8791,8792 and DATA=folder choose where'
	@echo 'make bench   measurements, natively and as WebAssembly, one "bench NAME VALUE UNIT" a line'
	@echo 'make load    what a hub in workerd bears: appends, latency, many rooms, many servers, memory; "bench NAME VALUE UNIT" lines'
	@echo 'make soak    the long tests: a hub killed KILLS (200) times under load, tabs killed 50 times, all of the site, and SEEDS (5000) seeds of each kind in the simulator'
	@echo 'make fuzz    each target of fuzz/ for FUZZ_SECONDS (300)'

# The worker, and all that it is built from.
hub: tools
	$(call step,prerequisites)
	$(XTASK) setup rust npm
	$(call step,the module)
	$(XTASK) build-wasm
	$(call step,the worker)
	npm --silent --prefix worker run build

start: hub
	$(call step,the hub)
	@exec node worker/serve.js

demo: tools
	$(call step,prerequisites)
	$(XTASK) setup rust npm
	$(call step,the modules and the npm package)
	$(XTASK) build-wasm
	$(call step,the site)
	npm --silent --prefix www run build
	$(call step,open http://127.0.0.1:8780 and then its invite in a second tab)
	@exec npm --silent --prefix www run serve

test: tools
	$(call step,prerequisites)
	$(XTASK) setup
	$(call step,native tests)
	cargo test $(LOCKED) --workspace --exclude xtask --features hublet/bindings --quiet
	$(call step,the simulator)
	SIM_SEEDS=1000 cargo test $(LOCKED) --features bindings --quiet --test rooms_survive_bad_networks -- --nocapture
	$(call step,without cryptography)
	cargo test $(LOCKED) --features null-crypto --quiet --test null_crypto
	$(call step,suites in Node and in headless Chromium)
	$(XTASK) test-wasm
	$(call step,the module and the npm package)
	$(XTASK) build-wasm
	npm --silent --prefix pkg test
	$(call step,the worker in workerd)
	@mkdir -p worker/dist
	cargo run $(LOCKED) --quiet --example store_cases > worker/dist/store-cases.json
	cargo build $(LOCKED) --quiet --example verify_log
	npm --silent --prefix worker test
	$(call step,a conversation)
	npm --silent --prefix examples test
	$(call step,the site)
	npm --silent --prefix www run check
	npm --silent --prefix www run build
	npm --silent --prefix www test
	$(call step,all tests passed)

# Three processes on this machine: ports 8790 to 8792, unless PORTS names others.
chat: hub
	$(call step,the audit)
	cargo build $(LOCKED) --quiet --example verify_log
	$(call step,a conversation)
	@node examples/chat/main.js $(if $(KEEP),--keep) $(if $(PORTS),--ports $(PORTS)) $(if $(DATA),--data $(DATA))

bench: tools
	$(call step,prerequisites)
	$(XTASK) setup
	$(call step,native)
	$(XTASK) bench native
	$(XTASK) bench native null-crypto
	$(call step,Node)
	$(XTASK) bench node
	$(XTASK) bench node null-crypto
	$(call step,headless Chromium)
	$(XTASK) bench browser
	$(XTASK) bench browser null-crypto
	$(call step,size)
	$(XTASK) build-wasm
	$(XTASK) size
	$(call step,a server in a tab)
	npm --silent --prefix pkg run bench
	$(call step,the store of the worker)
	npm --silent --prefix worker run bench

load: hub
	$(call step,load)
	npm --silent --prefix worker run load

soak: tools
	$(call step,prerequisites)
	$(XTASK) setup
	$(call step,the modules)
	$(XTASK) build-wasm
	$(call step,tabs that are killed)
	HUBLET_KILLS=50 node --test --test-reporter=spec --test-name-pattern=dies pkg/test/tabs/one-writer.test.js
	$(call step,the site)
	npm --silent --prefix worker run build
	npm --silent --prefix www run build
	npm --silent --prefix www run soak
	$(call step,a hub that is killed)
	FAULTS_KILLS=$(KILLS) npm --silent --prefix worker run soak
	$(call step,the simulator)
	SIM_SEEDS=$(SEEDS) cargo test $(LOCKED) --features bindings --quiet --test rooms_survive_bad_networks -- --nocapture

# The stable toolchain suffices: libFuzzer's coverage is made by passes that it has, and a sanitizer of memory would find nothing where `unsafe` is forbidden.
fuzz: prerequisites
	@cargo fuzz --version >/dev/null 2>&1 || { echo '--> setup: cargo-fuzz'; cargo install cargo-fuzz --version 0.13.2 --locked --quiet; }
	@command -v c++ >/dev/null 2>&1 || { echo 'missing: c++, which builds libFuzzer; install g++ from the distribution'; exit 1; }
	@set -e; for target in $(FUZZ_TARGETS); do \
	  printf '\n==> fuzz %s for %s s\n' "$$target" "$(FUZZ_SECONDS)"; \
	  mkdir -p fuzz/corpus/$$target fuzz/seeds/$$target; \
	  cargo fuzz run --sanitizer none --features run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -len_control=0 -timeout=60 -rss_limit_mb=4096 -print_final_stats=1; \
	done

# What no step can install: said before anything is built.
prerequisites:
	@missing=; \
	for tool in cc curl rustup cargo node npm; do command -v $$tool >/dev/null 2>&1 || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
	  echo "missing:$$missing"; \
	  echo "install a C linker and curl from the distribution, Rust from https://rustup.rs, Node 20 or newer with npm"; \
	  exit 1; \
	fi
	@rustup show active-toolchain >/dev/null 2>&1 || { echo '--> setup: the Rust toolchain'; rustup toolchain install --no-self-update; }

tools: prerequisites
	$(call step,build tools)
	cargo build $(LOCKED) --profile tools --package xtask
