# The doors of the house. `make demo` and `make test` each work alone on a fresh machine, in
# either order: they install what is missing, say so, and call cargo with one profile.

PACKAGES := g++ libclang-dev pkg-config make curl ca-certificates
# For tests alone: the verifier in Python, the session by hand with openssl, clocks that step.
TEST_PACKAGES := python3 python3-venv openssl faketime
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PROGRAMS = $${CARGO_TARGET_DIR:-target}/release
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: demo test check bless bench tools verifier valgrind

## Replays the national market on four nodes: make demo ARGS="--exit --market-data FILE"
demo: tools
	cargo build --release --workspace --bin cets --bin cetsd
	$(PROGRAMS)/cets demo $(ARGS)

## Runs all tests.
test: PACKAGES += $(TEST_PACKAGES)
test: tools verifier
	cargo build --release --workspace --bin cets --bin cetsd
	cargo test --release --workspace --no-fail-fast
	cargo test --release --manifest-path tests/foreign/Cargo.toml \
	    --target-dir $${CARGO_TARGET_DIR:-target}

## Format, lints, documentation, licences, and instructions of the hot paths.
check: tools valgrind
	cargo check-all

## Measures speed beside PostgreSQL and writes docs/performance.md: make bench ARGS="G1 --runs 1"
bench: tools
	cargo build --release --workspace --bin cets --bin cetsd
	cargo bench-all $(ARGS)

## Writes the frozen vectors anew.
bless: tools
	cargo bless

tools:
	@missing=; for package in $(PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q '^install ok installed$$' \
	        || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ] && command -v apt-get >/dev/null; then \
	    echo "Installing packages:$$missing"; \
	    $(SUDO) apt-get update -q && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive \
	        apt-get install -qy --no-install-recommends $$missing; \
	elif [ -n "$$missing" ]; then \
	    echo "No apt-get here: these must be present under their own names:$$missing"; fi
	@command -v cargo >/dev/null || { \
	    echo "Installing rustup; rust-toolchain.toml names the toolchain"; \
	    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs \
	        | sh -s -- -y --no-modify-path --profile minimal --default-toolchain none; }
	@cargo --version || rustup toolchain install

# The verifier in Python has packages of its own; its tests say so and are skipped without them,
# but in continuous integration, where NOTHING_SKIPPED makes them fail instead.
verifier: tools
	@python=$${CARGO_TARGET_DIR:-target}/verifier/bin/python3; \
	$$python -c 'import blake3, cryptography' 2>/dev/null || { \
	    python3 -m venv "$$(dirname "$$(dirname $$python)")" && \
	    $$python -m pip install -q -r tests/verifier/requirements.txt; } || \
	    echo "No Python packages here: the tests of tests/verifier cannot run"

# Instructions are counted where valgrind is there or can be installed.
valgrind:
	@command -v valgrind >/dev/null || { \
	    echo "Installing packages: valgrind"; \
	    $(SUDO) apt-get update -q && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive \
	        apt-get install -qy --no-install-recommends valgrind; } || \
	    echo "No valgrind here: instructions will not be counted"
