# svmm: see README.md. Everything a user types is a target here; everything it leaves behind is in .build, out of the
# work tree in $(SVMM_CACHE), or where `make install` puts it.

PREFIX ?= /usr/local
SWIFT ?= swift
# Static executables start in a third of the time of dynamic ones. They are position-independent, so that the monitor's code
# lies at another address each time; packed relocations keep that cheap, and only lld makes them.
SWIFT_FLAGS = -c release --static-swift-stdlib --disable-local-rpath -Xswiftc -static-executable -Xswiftc -use-ld=lld \
	-Xswiftc -Xclang-linker -Xswiftc -static-pie -Xlinker -z -Xlinker nostart-stop-gc \
	-Xlinker -z -Xlinker pack-relative-relocs -Xlinker --gc-sections -Xlinker -s
BUILD = .build/release
PAYLOADS = .build/payloads

# What the build, the tests and the demo need from Debian, by purpose.
PACKAGES_BUILD = linux-libc-dev libcap-ng-dev gcc libc6-dev make git pkg-config musl-tools cpio libarchive-dev libext2fs-dev \
	comerr-dev libzstd-dev zlib1g-dev libsqlite3-dev
PACKAGES_KERNEL = linux-source-6.1 bc bison flex libelf-dev xz-utils lz4 cpio patch
PACKAGES_RIG = qemu-system-x86 busybox-static kmod
PACKAGES_TEST = acpica-tools passt iproute2 nftables containernetworking-plugins e2fsprogs fio iperf3 docker-registry skopeo umoci buildah apache2-utils openssl python3 \
	busybox-static debootstrap curl redis-tools

.PHONY: all setup build conformance kernel demo test soak bench fuzz fuzz-coverage install clean payloads

all: build

# Installs the packages that are missing, asking nothing.
setup:
	@Tools/setup $(PACKAGES_BUILD) $(PACKAGES_KERNEL) $(PACKAGES_RIG) $(PACKAGES_TEST)

build:
	@$(SWIFT) build $(SWIFT_FLAGS) --product svmm
	@$(SWIFT) build $(SWIFT_FLAGS) --product svmm-vmm
	@$(SWIFT) build $(SWIFT_FLAGS) --product svmm-engine
	@Tools/agent/build .build/agent

# Checks a file system, in guests too: static, and not installed.
conformance:
	@$(SWIFT) build $(SWIFT_FLAGS) --product fs-conformance

kernel:
	@Kernel/build

payloads:
	@Tools/payloads/build $(PAYLOADS)

demo: setup
	@Tools/demo

test: setup
	@Tools/run-tests

# Containers under load, for hours: 1,000 one after the other, 20 at once, 200 that are killed somehow.
soak: setup
	@Tools/run-tests soak

bench: build payloads
	@Tools/bench start
	@Tools/bench exit
	@Tools/bench block
	@Tools/bench 9p
	@Tools/bench vsock
	@Tools/bench net
	@Tools/bench restore
	@Tools/bench container

# Every target for a minute: SECONDS=600 for longer, TARGETS="device-block wire" for some. Tests/Fuzz/README.md
fuzz:
	@Tools/fuzz $(TARGETS) $(or $(SECONDS),60)

fuzz-coverage:
	@Tools/fuzz --coverage $(TARGETS)

install: build
	install -D -m 755 $(BUILD)/svmm $(DESTDIR)$(PREFIX)/bin/svmm
	install -D -m 755 $(BUILD)/svmm-vmm $(DESTDIR)$(PREFIX)/libexec/svmm/svmm-vmm
	install -D -m 755 $(BUILD)/svmm-engine $(DESTDIR)$(PREFIX)/libexec/svmm/svmm-engine
	install -D -m 644 .build/agent/agent.cpio $(DESTDIR)$(PREFIX)/share/svmm/agent.cpio
	install -m 644 "$$(Kernel/build | tail -n 2 | head -n 1)" $(DESTDIR)$(PREFIX)/share/svmm/vmlinux
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 Tools/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	rm -rf .build
