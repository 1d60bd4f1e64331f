#!/usr/bin/env bash
# Coverage-guided fuzzing of what reads untrusted bytes, ten minutes a target: `make fuzz`. SECONDS_EACH=600
set -euo pipefail
cd "$(dirname "$0")"
rustup run nightly cargo --version >/dev/null 2>&1 || { echo "fuzz: a nightly toolchain is needed: rustup toolchain install nightly" >&2; exit 1; }
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
export CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$HOME/.cache/weir-fuzz-target}
# The same versions and the same vector instructions as the build that people run (.cargo/config.toml).
cp ../../Cargo.lock Cargo.lock
export RUSTFLAGS="-C target-cpu=x86-64-v3 -C target-feature=+pclmulqdq"
for target in fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  # New findings go beside the build; the corpus in the repository is kept small by hand.
  mkdir -p "$CARGO_TARGET_DIR/corpus/$name"
  cargo +nightly fuzz run --fuzz-dir . "$name" "$CARGO_TARGET_DIR/corpus/$name" "corpus/$name" -- -max_total_time="${SECONDS_EACH:-600}" -rss_limit_mb=4096
done
