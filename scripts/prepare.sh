# Sourced by the scripts beside it, with $root set to the checkout: prepare SET makes $root/.venv hold the locked
# requirements/SET.txt and the package itself. Where that is so already, it costs the start of one Python.

prepare() {
    # Python's own switches of the caller must not change what is prepared, hence -I.
    if [ -z "${PYTHON:-}" ] && "$root/.venv/bin/python" -I "$root/scripts/prepare.py" --fresh "$1" 2>/dev/null; then
        return 0
    fi
    find_python || exit 1
    "$python" -I "$root/scripts/prepare.py" "$1" || exit 1
}

# Sets $python to an interpreter of 3.11 or newer that can make environments: $PYTHON if given, else the first of the
# usual names.
find_python() {
    without_venv=
    [ -n "${PYTHON:-}" ] || set -- python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3
    [ -z "${PYTHON:-}" ] || set -- "$PYTHON"
    for python in "$@"; do
        "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        "$python" -I -c 'import ensurepip, venv' 2>/dev/null && return 0
        without_venv=${without_venv:-$python}
    done
    if [ -z "$without_venv" ]; then
        echo "Doorward needs Python 3.11 or newer${PYTHON:+ (PYTHON=$PYTHON is not)}. Install it, or name it: PYTHON=/path/to/python3.11 $0" >&2
        return 1
    fi
    python=$without_venv
    install_venv
}

# Debian keeps the venv module's other half in a package of its own.
install_venv() {
    package=$("$python" -I -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package, which $python lacks." >&2
        install_package "$package"
    fi
    "$python" -I -c 'import ensurepip, venv' 2>/dev/null && return 0
    echo "$python lacks its venv module. On Debian and Ubuntu: apt-get install $package. Then run $0 again." >&2
    return 1
}

# Programs of Debian that some tests use. Without them these tests are skipped, or fail where CI is set.
find_programs() {
    find_program chromium chromium "the tests of pages"
    find_program nginx nginx-light "the tests of forward-auth with nginx"
    find_program haproxy haproxy "the tests of forward-auth with HAProxy"
}

find_program() { # NAME PACKAGE WHAT-FOR
    has_program "$1" && return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $2, for $3." >&2
        install_package "$2"
    fi
    has_program "$1" && return 0
    echo "There is no $1, so $3 are left out. On Debian and Ubuntu: apt-get install $2." >&2
}

has_program() { # NAME; an ordinary user's PATH lacks the directories of servers
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null
}

install_package() { # NAME; that it failed shows in that the thing is still missing
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$1"; } >/dev/null || true
}
