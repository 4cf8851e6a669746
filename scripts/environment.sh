#!/bin/sh
# Makes or completes the environment of this checkout: .venv/ and the system packages that wheels cannot bring.
#
#   scripts/environment.sh run       what `make up` and `make demo` need
#   scripts/environment.sh develop   and what `make test` and `make lint` need on top
#
# Done already: nothing happens. Killed half-way: the next call starts afresh. PYTHON=... names another interpreter.
set -eu

level=${1:-run}
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "tollhouse: $*"; exit 1; }

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "no Python 3.11 or newer: install the package python3, or set PYTHON to the path of one"
}

# --- system packages -------------------------------------------------------------------------------------------------

has_library() { "$python" -c "import ctypes; ctypes.CDLL('$1')" 2>/dev/null; }
has_program() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

missing_packages() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    has_library libpango-1.0.so.0 || echo libpango-1.0-0
    has_library libpangoft2-1.0.so.0 || echo libpangoft2-1.0-0
    has_library libharfbuzz-subset.so.0 || echo libharfbuzz-subset0
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || echo fonts-dejavu-core
    # The -core packages hold the programs alone: no system service is installed or started.
    has_program mariadbd && has_program mariadb-install-db || echo mariadb-server-core
    has_program mariadb || echo mariadb-client-core
    if [ "$level" = develop ]; then
        has_program pdftoppm || echo poppler-utils
        has_program chromium || echo chromium
    fi
}

install_system_packages() {
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! has_program apt-get; then
        fail "system packages are missing; as root: apt-get install --no-install-recommends $missing"
    fi
    say "Installing system packages: $missing"
    {
        apt-get update
        # shellcheck disable=SC2086 # a list of package names
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
    } >var/environment.log 2>&1 || {
        tail -n 5 var/environment.log >&2
        fail "apt-get could not install: $missing (whole log in var/environment.log)"
    }
}

# --- .venv -----------------------------------------------------------------------------------------------------------

wanted_digest() {
    cat "$@" pyproject.toml scripts/environment.sh | sha256sum | cut -d ' ' -f 1
}

make_virtual_environment() {
    # Its presence means that an earlier call did not come to its end, and what is there may be incomplete.
    if [ -e .venv/.making ]; then
        say "The environment is half-made: starting afresh."
        rm -rf .venv
    fi
    if [ -e .venv ] && ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        say "The environment does not run: starting afresh."
        rm -rf .venv
    fi
    if [ ! -e .venv ]; then
        mkdir .venv
        touch .venv/.making
        "$python" -m venv .venv
    fi
}

install_requirements() {
    set -- requirements.txt
    [ "$level" = run ] || set -- requirements.txt requirements-dev.txt
    digest=$(wanted_digest "$@")
    stamp=.venv/.complete-$level
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ] && return 0

    say "Installing $(grep -hc == requirements.txt) pinned packages into .venv (about a minute)"
    touch .venv/.making
    options="--disable-pip-version-check --no-input -qq --no-deps"
    for file in "$@"; do
        # shellcheck disable=SC2086 # a list of options
        .venv/bin/python -m pip install $options --require-hashes --only-binary :all: -r "$file" ||
            fail "pip could not install $file: see its message above, then run the same command again"
    done
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install $options --no-build-isolation -e . || fail "this project did not install"
    # .venv/bin/airflow and .venv/bin/dbt find this installation without anything exported.
    site_packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo 'import tollhouse.embedded.interpreter_start' >"$site_packages/tollhouse_environment.pth"
    printf '%s\n' "$digest" >"$stamp"
    rm -f .venv/.making
}

case $level in
run | develop) ;;
*) fail "usage: scripts/environment.sh run|develop" ;;
esac
mkdir -p var
exec 9>var/environment.lock
flock 9 # one call at a time; the second finds the work done

python=$(find_python)
install_system_packages
make_virtual_environment
install_requirements
