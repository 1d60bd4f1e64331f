#!/usr/bin/env bash
# Checks the types that the page's modules say in their comments; prints nothing where they fit.
set -euo pipefail

folder=${WEIR_BROWSER:-$HOME/.cache/weir-browser}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$folder/node_modules/.bin/tsc" --project "$here/../../jobmanager/ui"
