# Every command sets up what it needs by itself. Needed beforehand: make, a C linker, curl, Rust by rustup, Node 20 or newer.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test bench tools prerequisites

# On a build machine the lock file must already be right.
LOCKED := $(if $(CI),--locked)
XTASK := target/tools/xtask
# One folder for all builds, also where the environment names another: steps find tools and module in it.
export CARGO_TARGET_DIR := $(CURDIR)/target
export CARGO_TERM_COLOR ?= auto

step = @printf '\n==> %s\n' "$(1)"

help:
	@echo 'make test    every test: native, WebAssembly in Node and in Chromium, the npm package, the worker'
	@echo 'make bench   measurements, natively and as WebAssembly, one "bench NAME VALUE UNIT" a line'

test: tools
	$(call step,prerequisites)
	$(XTASK) setup
	$(call step,native tests)
	cargo test $(LOCKED) --workspace --exclude xtask --quiet
	cargo test $(LOCKED) --all-features --quiet --test null_crypto
	cargo test $(LOCKED) --all-features --quiet --lib bindings::
	$(call step,the simulator)
	SIM_SEEDS=1000 cargo test $(LOCKED) --profile sim --quiet --test rooms_survive_bad_networks -- --nocapture
	$(call step,suites in Node)
	$(XTASK) test-wasm node
	$(call step,suites in headless Chromium)
	$(XTASK) test-wasm browser
	$(call step,the module and the npm package)
	$(XTASK) build-wasm
	npm --silent --prefix pkg test
	$(call step,the worker in workerd)
	npm --silent --prefix worker test
	$(call step,all tests passed)

bench: tools
	$(call step,prerequisites)
	$(XTASK) setup
	$(call step,native benchmarks)
	cargo bench $(LOCKED) --package hublet
	$(call step,benchmarks in Node)
	$(XTASK) bench-wasm node
	$(call step,benchmarks in headless Chromium)
	$(XTASK) bench-wasm browser
	$(call step,size)
	$(XTASK) build-wasm
	$(XTASK) size

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
