@testable import Machine
import GuestMemory
import MachineProtocol
import TestSupport
import Testing

@Suite("Preparing a machine")
struct PreparedMachineTests {
    private let directory = TemporaryDirectory()

    private func error(_ description: MachineDescription) -> MachineError? {
        do throws(MachineError) {
            _ = try PreparedMachine(description)
            return nil
        } catch {
            return error
        }
    }

    /// The smallest file that is an ELF kernel: one segment of one byte at 1 MiB.
    private func kernel() throws -> String {
        var bytes = [UInt8](repeating: 0, count: 121)
        bytes.replaceSubrange(0..<6, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
        bytes.put(2 as UInt16, at: 16)
        bytes.put(62 as UInt16, at: 18)
        bytes.put(0x10_0000 as UInt64, at: 24)
        bytes.put(64 as UInt64, at: 32)
        bytes.put(56 as UInt16, at: 54)
        bytes.put(1 as UInt16, at: 56)
        bytes.put(1 as UInt32, at: 64)
        bytes.put(120 as UInt64, at: 72)
        bytes.put(0x10_0000 as UInt64, at: 88)
        bytes.put(1 as UInt64, at: 96)
        bytes.put(1 as UInt64, at: 104)
        return try directory.file("kernel", bytes)
    }

    @Test("a good description is taken and summed up")
    func good() throws {
        let prepared = try PreparedMachine(MachineDescription(kernel: kernel(), memorySize: 64 << 20))
        #expect(prepared.summary.contains("entry: 0x100000 (Linux 64-bit)"))
        #expect(prepared.summary.contains("ram: 0x0-0x3ffffff"))
    }

    @Test("numbers out of range are wrong usage", arguments: [0, -1, 65, 1000])
    func processors(count: Int) throws {
        #expect(error(MachineDescription(kernel: try kernel(), processorCount: count))?.status == ExitStatus.usage)
    }

    @Test("memory out of range is wrong usage",
          arguments: [0, 4096, (1 << 20) + 1, (64 << 30) + 4096, .max] as [UInt64])
    func memory(size: UInt64) throws {
        #expect(error(MachineDescription(kernel: try kernel(), memorySize: size))?.status == ExitStatus.usage)
    }

    @Test("the sizes that a description may have are those that guest memory can have")
    func memorySizes() {
        #expect(MachineDescription.memorySizes == RAMLayout.sizes)
        #expect(MachineDescription.pageSize == RAMLayout.pageSize)
    }

    @Test("a grace period that no timer can keep is wrong usage, not a crash when it begins", arguments: [
        -1, -0.001, .infinity, -.infinity, .nan, 1e300, 31_536_001,
    ] as [Double])
    func grace(seconds: Double) throws {
        #expect(error(MachineDescription(kernel: try kernel(), graceSeconds: seconds))?.status == ExitStatus.usage)
    }

    @Test("a limit of the random device that is none is wrong usage", arguments: [0, .max] as [UInt64])
    func entropyRate(rate: UInt64) throws {
        #expect(error(MachineDescription(kernel: try kernel(), entropyRate: rate))?.status == ExitStatus.usage)
    }

    @Test("more disks than slots are wrong usage")
    func disks() throws {
        let disk = DiskDescription(path: "d")
        let description = MachineDescription(kernel: try kernel(),
                                             disks: Array(repeating: disk, count: PreparedMachine.maximumDeviceCount + 1))
        #expect(error(description)?.status == ExitStatus.usage)
    }

    @Test("an error names the option and the file")
    func names() throws {
        let none = directory.path("none")
        let empty = try directory.file("empty", [])
        let kernel = try kernel()
        let cases: [(MachineDescription, String)] = [
            (MachineDescription(kernel: none), "--kernel \(none): No such file or directory"),
            (MachineDescription(kernel: kernel, initrd: none), "--initrd \(none): No such file or directory"),
            (MachineDescription(kernel: kernel, initrd: empty), "--initrd \(empty): empty, expected a cpio archive"),
            (MachineDescription(kernel: kernel, disks: [DiskDescription(path: none)]),
                "--disk \(none): No such file or directory"),
            (MachineDescription(kernel: kernel, memorySize: 1 << 20),
                "--kernel \(kernel): the kernel needs RAM up to 2 MiB, the guest has 1 MiB below 3 GiB; raise --memory"),
        ]
        for (description, text) in cases { #expect(error(description)?.description == text) }
        let long = MachineDescription(kernel: kernel, commandLine: String(repeating: "x", count: 3000))
        #expect(error(long)?.description.hasPrefix("--cmdline: ") == true)
    }
}
