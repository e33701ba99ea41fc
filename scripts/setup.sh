# shellcheck shell=bash
# Sourced by scripts/nsbench and scripts/test: installs what is missing, configures and builds.
# Everything it says goes to standard error, so that standard output is nsbench's alone.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=${NSBENCH_PRESET:-release}
build=$root/build/$preset

# A build of another folder is of no use here: a copied tree brings it, with the paths of the original in it. It is
# made anew; that packages were found is of that machine.
home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt" 2>/dev/null || true)
if [ -n "$home" ] && ! [ "$home" -ef "$root" ]; then
    rm -rf "$build" "$root"/build/.packages-*
fi

say() { printf '%s\n' "$*" >&2; }

# packages KIND: the names in scripts/packages that are needed. Another word than these is a mistake in who calls it: no package would
# be missing.
#   run       without a mark: what nsbench is built with
#   analysis  so marked, as what the scripts import
#   test      both, and what is marked test
#   kernels   all of these, and what builds kernels
#   package   what is built with, and what makes the Debian package of it
#   fuzz      what is built with, and what clang's libFuzzer and counters need
packages() {
    local name kind
    case $1 in run | analysis | test | kernels | package | fuzz) ;; *) say "setup.sh: packages $1: there is no such kind"; return 1 ;; esac
    while read -r name kind; do
        case $name in '' | '#'*) continue ;; esac
        case $1/$kind in
            run/ | analysis/analysis | test/ | test/analysis | test/test | package/ | package/package | fuzz/ | fuzz/fuzz) ;;
            kernels/package | kernels/fuzz) continue ;;
            kernels/*) ;;
            *) continue ;;
        esac
        printf '%s\n' "$name"
    done <"$root/scripts/packages"
}

# missing_packages KIND: those of them that dpkg does not have installed. npm may come from elsewhere:
# Debian's cannot be installed beside such a one.
missing_packages() {
    local name
    packages "$@" | while read -r name; do
        if [ "$name" = npm ] && command -v npm >/dev/null; then continue; fi
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
    done
}

# install_packages KIND: once for each state of the list; as root, through sudo, or by saying which line to run.
install_packages() {
    local stamp missing as_root=
    stamp=$root/build/.packages-$1-$(cksum <"$root/scripts/packages" | cut -d' ' -f1)
    [ ! -e "$stamp" ] || return 0
    missing=$(missing_packages "$@" | tr '\n' ' ')
    if [ -n "$missing" ]; then
        if [ "$(id -u)" -ne 0 ]; then
            if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
                as_root=sudo
            else
                say "nsbench: packages are missing; as root run: apt-get update && apt-get install --no-install-recommends $missing"
                exit 3
            fi
        fi
        say "installing $missing"
        # By env, as sudo hands no variable on.
        # shellcheck disable=SC2086  # the names are words
        { $as_root apt-get update -q &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >&2 || {
            say "nsbench: installing failed; what is missing: $missing"
            exit 3
        }
    fi
    mkdir -p "$root/build"
    touch "$stamp"
}

# build_all [CMAKE OPTION...]: configures where that was not done, builds what has changed, and is quiet if nothing has.
build_all() {
    local log=$build/build.log
    mkdir -p "$build"
    if [ ! -e "$build/build.ninja" ] || [ $# -gt 0 ]; then
        (cd "$root" && cmake --preset "$preset" "$@") >"$log" 2>&1 || { cat "$log" >&2; say "nsbench: configuring failed"; exit 1; }
    fi
    if ! ninja -C "$build" -n 2>/dev/null | grep -q 'no work to do'; then
        say "building in build/$preset"
        ninja -C "$build" >"$log" 2>&1 || { cat "$log" >&2; say "nsbench: building failed"; exit 1; }
    fi
}

# skipped_tests LOG: what was skipped and why, a line each, as ctest's log has it: whole files and guards, and single tests of
# pytest and of GoogleTest. By name, since tests run side by side.
skipped_tests() {
    [ ! -e "$1" ] || awk '
        /^ *[0-9]+\/[0-9]+ Test: / { name = $3 }
        /^SKIPPED \[[0-9]+\] / { sub(/^SKIPPED \[[0-9]+\] (\.\.\/)*/, ""); print "  " name ": " $0 }
        /^skipped: / { sub(/^skipped: /, ""); print "  " name ": " $0 }
        was_skipped { print "  " name ": " $0 }
        { was_skipped = /^[^ ]+:[0-9]+: Skipped$/ }' "$1" | LC_ALL=C sort
}
