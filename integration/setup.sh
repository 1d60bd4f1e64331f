#!/usr/bin/env bash
# Installs what building and testing Weir needs, on Debian and its kin; elsewhere says exactly what is missing.
# Quiet where nothing is missing.
set -euo pipefail

toolchain=1.95.0
declare -A package_of=([clang]=clang [mold]=mold [cmake]=cmake [pkg-config]=pkg-config [python3]=python3 [curl]=curl)
packages=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || packages+=("${package_of[$program]}")
done
# RocksDB's and librdkafka's headers, looked for where Debian puts them.
compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || packages+=(libclang-dev)
[ -e /usr/include/openssl/ssl.h ] || packages+=(libssl-dev)

if [ ${#packages[@]} -gt 0 ]; then
  install="apt-get install --yes ${packages[*]}"
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "setup: installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && $install -qq >/dev/null
  elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then
    echo "setup: installing ${packages[*]}"
    sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
  else
    echo "setup: missing: ${packages[*]}" >&2
    echo "  Debian, Ubuntu:  sudo apt-get update && sudo $install" >&2
    echo "  others: install the packages of the same contents, then run this again" >&2
    exit 1
  fi
fi

export PATH="$HOME/.cargo/bin:$PATH"
if ! command -v cargo >/dev/null; then
  echo "setup: Rust is missing: install rustup (https://rustup.rs), then run this again" >&2
  exit 1
fi
# rustup reads rust-toolchain.toml; another cargo must be new enough.
found=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ "$(printf '%s\n%s\n' "$toolchain" "${found:-0}" | sort -V | head -n1)" != "$toolchain" ]; then
  echo "setup: Rust $toolchain is needed, found ${found:-none}: run 'rustup toolchain install $toolchain --component clippy,rustfmt'" >&2
  exit 1
fi
