# For scripts that build guest programs in Embedded Swift: source it after `set -euo pipefail`.

fail() { echo "${0##*/}: $*" >&2; exit 1; }
# need PROGRAM PACKAGE
need() { command -v "$1" >/dev/null || fail "$1 not found; install $2"; }

need swiftc "Swift (https://www.swift.org/install)"
need musl-gcc "the Debian package musl-tools"
need cpio "the Debian package cpio"

embedded=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")")
musl=/usr/include/x86_64-linux-musl
[[ -d $musl ]] || fail "$musl not found; install the Debian package musl-dev"

# stale OUTPUT SOURCE...: whether OUTPUT is missing or older than a source
stale() {
    local output=$1 source
    shift
    [[ -e $output ]] || return 0
    for source in "$@"; do
        if [[ $source -nt $output ]]; then return 0; fi
    done
    return 1
}

# compile ARGUMENT...: swiftc for the guest, with musl's headers.
compile() {
    swiftc -target x86_64-unknown-linux-gnu -swift-version 6 -warnings-as-errors -parse-as-library -wmo -Osize \
        -enable-experimental-feature Embedded -Xfrontend -function-sections -Xcc -isystem -Xcc "$musl" "$@"
}

# link OUTPUT OBJECT...: a static program, with what the runtime of Embedded Swift needs. Intermediate files lie in $objects.
link() {
    local output=$1 toolchain
    shift
    toolchain=$(dirname -- "$(dirname -- "$(realpath -- "$(command -v swiftc)")")")
    musl-gcc -Wall -Wextra -Werror -Os -c -o "$objects/runtime.o" "$embedded/runtime.c"
    musl-gcc -static -s -Wl,--gc-sections -o "$output.new" "$@" "$objects/runtime.o" \
        "$toolchain/lib/swift/embedded/x86_64-unknown-linux-gnu/libswiftUnicodeDataTables.a"
    mv "$output.new" "$output"
}

# archive DIRECTORY FILE: an initramfs of the directory, the same for the same contents.
archive() {
    find "$1" -exec touch -h -d @0 {} +
    (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet --reproducible -R 0:0 -o -H newc) >"$objects/cpio.new"
    mv "$objects/cpio.new" "$2"
    echo "built $2"
}
