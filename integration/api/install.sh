#!/usr/bin/env bash
# Installs what checks the OpenAPI document against a running job manager (schemathesis, from PyPI), below ~/.cache/weir-api; quiet where nothing is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${WEIR_API:-$HOME/.cache/weir-api}

if cmp -s "$here/requirements.txt" "$folder/requirements.txt" && [ -x "$folder/bin/st" ]; then
  exit 0
fi
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "The check of the REST interface needs Python 3 with venv: sudo apt-get install --yes python3-venv" >&2
    exit 1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq python3 python3-venv >/dev/null
fi
echo "installing schemathesis into $folder" >&2
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
# The list is there last: half an installation is none.
cp "$here/requirements.txt" "$folder/requirements.txt"
