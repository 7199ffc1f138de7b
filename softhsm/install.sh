# shellcheck shell=bash
# Sourced by softhsm/quickstart and tests/run: installs what is missing on a Debian machine.
#
# Nothing is installed that is there already, and what is going to be installed is said first. Only packages of the
# distribution are used; where it has no Rust that is new enough, its `rustup` fetches the current one.

RUST_WANTED=1.89

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# install_missing COMMAND=PACKAGE…: the packages of all commands that are not there.
install_missing() {
    local pair packages=()
    for pair in "$@"; do
        have "${pair%%=*}" || packages+=("${pair#*=}")
    done
    have cc || packages+=(gcc libc6-dev)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
    [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

# install_rust [COMPONENT…]: a cargo that is new enough, with rustfmt and clippy where they are asked for.
install_rust() {
    local component
    rust_is_new_enough || use_rustup_directory
    rust_is_new_enough || install_cargo
    rust_is_new_enough || fail "cargo is $(cargo --version 2>/dev/null || echo missing), wanted is $RUST_WANTED or newer" \
        "install Rust with rustup as https://rustup.rs says, then run this again"
    for component in "$@"; do
        cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || install_component "$component"
    done
}

rust_is_new_enough() {
    have cargo && have rustc || return 1
    local found
    found=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$RUST_WANTED" "$found" | sort -V | head -n 1)" = "$RUST_WANTED" ]
}

use_rustup_directory() {
    [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
}

# Debian 12 has a current Rust as cargo-web, the one its browsers are built with.
install_cargo() {
    update_packages
    if offers cargo-web; then
        install_packages cargo-web rustc-web
    elif offers cargo; then
        install_packages cargo rustc
    elif [ -n "$(candidate rustup)" ]; then
        install_packages rustup
        say "rustup fetches the current stable Rust into ${CARGO_HOME:-$HOME/.cargo}"
        rustup default stable
    fi
    hash -r
}

install_component() {
    local packages
    case $1 in
        clippy) packages=(rust-clippy rust-web-clippy) ;;
        rustfmt) packages=(rustfmt rustfmt-web) ;;
    esac
    if have rustup && rustup which cargo >/dev/null 2>&1; then
        say "adds $1 to the Rust that rustup keeps"
        rustup component add "$1"
    elif installed cargo-web; then
        install_packages "${packages[1]}"
    else
        install_packages "${packages[0]}"
    fi
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed$'; }

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '^(none)$'; }

offers() {
    local version
    version=$(candidate "$1") && [ -n "$version" ] && dpkg --compare-versions "$version" ge "$RUST_WANTED"
}

install_packages() {
    have apt-get || fail "these are missing, and there is no apt-get to install them: $*" \
        "install what your distribution calls them, then run this again"
    may_be_root || fail "these packages are missing, and there is no sudo to install them: $*" \
        "as root: apt-get update && apt-get install $*"
    update_packages
    say "installs with apt-get: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2 </dev/null
}

# Package lists are read once per run.
update_packages() {
    [ -z "${packages_updated:-}" ] || return 0
    have apt-get && may_be_root || return 0
    say "reads the package lists: apt-get update"
    as_root apt-get update -q >&2 </dev/null
    packages_updated=yes
}

may_be_root() { [ "$(id -u)" -eq 0 ] || have sudo; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
