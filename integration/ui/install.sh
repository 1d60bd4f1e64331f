#!/usr/bin/env bash
# Installs the browser that tests drive (Debian's Chromium), what drives it and what checks types, below ~/.cache/weir-browser; quiet where nothing is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${WEIR_BROWSER:-$HOME/.cache/weir-browser}

declare -A package_of=([chromium]=chromium [node]=nodejs [npm]=npm)
packages=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || packages+=("${package_of[$program]}")
done
if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "The tests of the page need: ${packages[*]}" >&2
    echo "  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install --yes ${packages[*]}" >&2
    exit 1
  fi
  echo "installing ${packages[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install --yes --no-install-recommends -qq "${packages[@]}" >/dev/null
fi

if cmp -s "$here/package-lock.json" "$folder/package-lock.json" && [ -d "$folder/node_modules/typescript" ]; then
  exit 0
fi
echo "installing playwright-core, axe-core and typescript into $folder" >&2
mkdir -p "$folder"
cp "$here/package.json" "$folder/"
cp "$here/package-lock.json" "$folder/package-lock.json.new"
# The lock file is there last: half an installation is none.
rm -rf "$folder/node_modules" "$folder/package-lock.json"
(cd "$folder" && cp package-lock.json.new package-lock.json && npm ci --silent --ignore-scripts --no-audit --no-fund) || {
  rm -f "$folder/package-lock.json"
  exit 1
}
rm -f "$folder/package-lock.json.new"
