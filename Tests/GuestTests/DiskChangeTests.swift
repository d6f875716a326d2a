import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("see disks change", .needsRoot, .needsConformance)
    struct DiskChangeTests {
        /// Waits in the guest until the disk has so many sectors; the host's patience is the limit.
        private static let waitForSize = """
            size() { read -r sectors </sys/block/vda/size; echo "$sectors"; }
            wait_for() { until [ "$(size)" = "$1" ]; do :; done; }

            """

        private let directory = TemporaryDirectory()

        @Test("a disk grows and shrinks while the guest runs, and all of it can be written to")
        func resize() throws {
            let disk = try SharedDisk()
            try disk.script("resize", Self.waitForSize + """
                echo "size $(size)"
                echo ready; read -r line
                wait_for 65536
                echo "size $(blockdev --getsize64 /dev/vda)"
                yes end | head -c 65536 >/tmp/end
                dd if=/tmp/end of=/dev/vda bs=64k seek=511 oflag=direct conv=fsync status=none
                dd if=/dev/vda bs=64k skip=511 iflag=direct status=none | cmp - /tmp/end
                echo grown; read -r line
                wait_for 8192
                echo "size $(blockdev --getsize64 /dev/vda)"
                dd if=/tmp/end of=/dev/vda bs=64k seek=63 oflag=direct conv=fsync status=none
                if dd if=/tmp/end of=/dev/vda bs=64k seek=64 oflag=direct status=none 2>/dev/null; then
                    echo "written behind the end"; exit 1
                fi
                echo shrunk
                """)
            let name = "resize-test-\(getpid())"
            let image = try directory.sparseFile("disk", size: 16 << 20)
            let guest = try Guest.script("resize", in: disk, ["--name", name, "--disk", image], input: .pipe)
            try guest.wait(for: "| ready")
            try SharedDisk.run("\(Guest.svmm) disk resize \(name) 0 32M")
            try guest.process.send("go\n")
            try guest.wait(for: "| grown")
            let end = Array("end\n".utf8)
            let grown = try #require(directory.contents("disk"))
            #expect(grown.count == 32 << 20)
            #expect(grown.suffix(65536).elementsEqual((0..<65536).lazy.map { end[$0 % 4] }))
            try SharedDisk.run("cmp -n \((32 << 20) - 65536) \(image) /dev/zero")
            try SharedDisk.run("\(Guest.svmm) disk resize \(name) 0 4M")
            try guest.process.send("go\n")
            let finished = try guest.finish()
            finished.expectProgram()
            #expect(finished.printed == ["size 32768", "ready", "size 33554432", "grown", "size 4194304", "shrunk"])
            let shrunk = try #require(directory.contents("disk"))
            #expect(shrunk.count == 4 << 20)
            #expect(shrunk.suffix(65536).elementsEqual((0..<65536).lazy.map { end[$0 % 4] }))
        }

        @Test("a disk that comes later has no sectors at first, then its contents")
        func attach() throws {
            let disk = try SharedDisk()
            try disk.script("attach", Self.waitForSize + """
                echo "size $(size)"
                dd if=/dev/vda bs=4k count=1 status=none | wc -c
                echo ready; read -r line
                wait_for 8192
                sha256sum </dev/vda
                dd if=/proc/version of=/dev/vda bs=4k seek=1 conv=fsync,sync status=none
                dd if=/dev/vda bs=4k skip=1 count=1 iflag=direct status=none | tr -d '\\0' | sha256sum
                """)
            let name = "attach-test-\(getpid())"
            let seed = UInt64.random(in: 0...9999)
            var random = SplitMix64(seed: seed)
            let image = try directory.file("disk", random.bytes(4 << 20))
            let sum = try SharedDisk.run("sha256sum <\(image)")
            let guest = try Guest.script("attach", in: disk, ["--name", name, "--disk", "none"], input: .pipe)
            try guest.wait(for: "| ready")
            try SharedDisk.run("\(Guest.svmm) disk attach \(name) 0 \(image)")
            try guest.process.send("go\n")
            let finished = try guest.finish()
            finished.expectProgram()
            #expect(finished.printed.prefix(3) == ["size 0", "0", "ready"], "\(finished.printed)")
            #expect(finished.printed.dropFirst(3).first.map { $0 + "\n" } == sum, "seed \(seed)")
            // What the guest wrote is in the file.
            let written = try SharedDisk.run("dd if=\(image) bs=4k skip=1 count=1 status=none | tr -d '\\0' | sha256sum")
            #expect(finished.printed.last.map { $0 + "\n" } == written)
            #expect(try SharedDisk.run("dd if=\(image) bs=4k skip=1 count=1 status=none").contains("Linux version"))
        }
    }
}
