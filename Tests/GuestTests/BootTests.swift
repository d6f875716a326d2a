import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("boot")
    struct BootTests {
        /// Three disks that differ in everything a guest can see of a disk.
        private struct Disks {
            let directory = TemporaryDirectory()
            let options: [String]

            init() throws {
                options = [
                    "--disk", try directory.sparseFile("first", size: 16 << 20) + ",serial=first",
                    "--disk", try directory.sparseFile("second", size: (1 << 20) + 512) + ",ro",
                    "--disk", try directory.sparseFile("third", size: 5 << 30) + ",ro,serial=twenty-bytes-of-text",
                ]
            }

            static let facts = [
                "vda sectors=32768 ro=0 serial=first",
                "vdb sectors=2049 ro=1 serial=svmm-disk-1",
                "vdc sectors=10485760 ro=1 serial=twenty-bytes-of-text",
            ]
        }

        @Test("every kernel reaches user space and finds the machine that was asked for", arguments: Kernel.all, [1, 4])
        func boot(kernel: Kernel, processors: Int) throws {
            let disks = try Disks()
            let guest = try Guest("facts", kernel: kernel, ["--cpus", "\(processors)"] + disks.options)
            let finished = try guest.finish()
            finished.expect(ok: ["facts"])
            let facts = finished.facts
            #expect(facts["cpus"] == ["\(processors)"])
            #expect(facts["topology"] == ["packages=1 cores=\(processors) threads=1"])
            // What the kernel keeps for itself is not in MemTotal.
            #expect((420_000...524_288).contains(facts.number("memory") ?? 0), "\(facts["memory"])")
            // With an invariant TSC the kernel prefers it to kvm-clock.
            #expect(["kvm-clock", "tsc"].contains(facts["clocksource"].first ?? ""), "\(facts["clocksource"])")
            #expect(((guest.startTime - 5)...(finished.time + 5)).contains(facts.number("rtc") ?? 0), "\(facts["rtc"])")
            #expect(facts["disk"] == Disks.facts)
            #expect(facts["hwrng"] == ["virtio_rng.0"])
            // Each device once, found by ACPI though the command line names it, too.
            #expect(facts["virtio"] == [
                "virtio0 driver=virtio_blk parent=LNRO0005:00", "virtio1 driver=virtio_blk parent=LNRO0005:01",
                "virtio2 driver=virtio_blk parent=LNRO0005:02", "virtio3 driver=virtio_rng parent=LNRO0005:03",
                "virtio4 driver=virtio_balloon parent=LNRO0005:04",
            ])
            for name in ["virtio0", "virtio1", "virtio2", "virtio3", "ttyS0"] {
                #expect(facts.interrupts(name) > 0, "\(name): \(facts["irq"])")
            }
            #expect(facts["irq"].contains { $0.hasSuffix(" acpi") })
            #expect(facts.unexpectedWarnings == [])
        }

        @Test("without ACPI the command line names the devices and the MP table the processors", arguments: [1, 4])
        func withoutACPI(processors: Int) throws {
            let disks = try Disks()
            // Powering off takes ACPI.
            let guest = try Guest("facts,reboot", words: "acpi=off", ["--cpus", "\(processors)"] + disks.options)
            let finished = try guest.finish()
            finished.expect(status: 10, "the guest rebooted", ok: ["facts"])
            let facts = finished.facts
            #expect(facts["cpus"] == ["\(processors)"])
            #expect(facts["disk"] == Disks.facts)
            #expect(facts["virtio"] == [
                "virtio0 driver=virtio_blk parent=virtio-mmio.0", "virtio1 driver=virtio_blk parent=virtio-mmio.1",
                "virtio2 driver=virtio_blk parent=virtio-mmio.2", "virtio3 driver=virtio_rng parent=virtio-mmio.3",
                "virtio4 driver=virtio_balloon parent=virtio-mmio.4",
            ])
            #expect(facts.unexpectedWarnings == [])
        }

        @Test("memory is as large as asked for, below and above the hole under 4 GiB", arguments: [128, 4096, 8192])
        func memory(mebibytes: Int) throws {
            let finished = try Guest("facts", ["--memory", "\(mebibytes)M"]).finish()
            finished.expect(ok: ["facts"])
            let total = try #require(finished.facts.number("memory"))
            // Of each page the kernel keeps 64 bytes to describe it, some megabytes for itself, and where there is memory
            // above 4 GiB, 64 MiB below for devices that cannot reach it (swiotlb).
            let size = mebibytes * 1024
            let reserve = size / 64 + 40_000 + (mebibytes > 3072 ? 65_536 : 0)
            #expect(((size - reserve)...size).contains(total), "\(total) KiB")
            #expect(finished.facts.unexpectedWarnings == [])
        }

        @Test("a guest may have many more processors than the host", arguments: [64])
        func manyProcessors(count: Int) throws {
            let finished = try Guest("facts", ["--cpus", "\(count)"]).finish()
            finished.expect(ok: ["facts"])
            #expect(finished.facts["cpus"] == ["\(count)"])
            #expect(finished.facts["topology"] == ["packages=1 cores=\(count) threads=1"])
        }
    }
}
