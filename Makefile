# Every command a developer or CI runs. Set-up is part of each: on a fresh machine they install what is missing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Build outputs live outside the checkout and survive it: a cold build of the dependencies takes long.
export CARGO_TARGET_DIR := $(or $(WEIR_TARGET_DIR),$(HOME)/.cache/weir-target)
export PATH := $(HOME)/.cargo/bin:$(PATH)
WEIR := $(CARGO_TARGET_DIR)/release/weir

.PHONY: help setup build demo test lint bench chaos fuzz

help:            ## Lists the commands.
	@sed -n 's/^\([a-z]*\): .*## /\1\t/p; s/^\([a-z]*\):  *## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup:           ## Installs what builds and tests need; quiet where nothing is missing.
	@./integration/setup.sh

build: setup     ## Builds the one binary.
	@cargo build --release --locked --package cli --package integration

demo: build      ## A story on a cluster of real processes: archive, replay, counts, savepoint, rescale, kill -9; each output is counted from outside.
	@./integration/demo.sh $(WEIR)

test: setup      ## All tests: units, contracts, goldens, real processes.
	@./integration/servers.sh
	@./integration/ui/install.sh
	@./integration/api/install.sh
	@cargo build --release --locked --package cli --package integration
	@cargo test --release --locked --workspace

lint: setup      ## Formatting, clippy, documentation, licences; the types of the page.
	@./integration/ui/install.sh
	@./integration/ui/types.sh
	@cargo fmt --all --check
	@cargo clippy --release --locked --workspace --all-targets -- --deny warnings
	@RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --release --locked --workspace --exclude proto --no-deps --document-private-items --quiet

bench: build     ## Weir (and Flink, where the harness lies beside the repository) on the same files, in turn.
	@./integration/bench/compare.sh $(WEIR)

chaos: build     ## 200 cycles of kill -9 in mid-flow, at random and at named points of a checkpoint, judged from outside.
	@./integration/chaos.sh $(WEIR)

fuzz: setup      ## Ten minutes each of coverage-guided fuzzing of the parsers.
	@./integration/fuzz/run.sh
