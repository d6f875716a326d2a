@testable import Boot
import GuestMemory
import TestSupport
import Testing

@Suite("Initrd and command line")
struct PlacementTests {
    /// A kernel at 16 to 19 MiB.
    private func loader(memory: UInt64, initrd: UInt64?, maximum: UInt32 = 0x7FFF_FFFF, commandLine: String = "",
                        commandLineSize: UInt32 = 2047) throws -> BootLoader {
        let bytes = BzImageBuilder.make { $0.initrdAddressMaximum = maximum; $0.commandLineSize = commandLineSize }
        return try BootLoader(layout: layout(memory), plan: plan(bytes), initrdSize: initrd, commandLine: commandLine)
    }

    @Test("the initrd lies at the top of low memory, as high as the kernel allows, on a page of its own", arguments: [
        (64 << 20, 4096, 0x7FFF_FFFF, (64 << 20) - 4096), (64 << 20, 1, 0x7FFF_FFFF, (64 << 20) - 4096),
        (64 << 20, 4097, 0x7FFF_FFFF, (64 << 20) - 8192), (3 << 30, 4096, 0x7FFF_FFFF, 0x7FFF_F000),
        (3 << 30, 4096, 0xFFFF_FFFF, 0xBFFF_F000), (8 << 30, 4096, 0xFFFF_FFFF, 0xBFFF_F000),
        (8 << 30, 1 << 30, 0xFFFF_FFFF, 0x8000_0000), (8 << 30, 4096, 0x37FF_FFFF, 0x37FF_F000),
        (8 << 30, 4096, 0x37FF_FFFE, 0x37FF_E000), (64 << 20, (64 - 19) << 20, 0xFFFF_FFFF, 19 << 20),
    ] as [(UInt64, UInt64, UInt32, UInt64)])
    func place(memory: UInt64, size: UInt64, maximum: UInt32, address: UInt64) throws {
        let loader = try loader(memory: memory, initrd: size, maximum: maximum)
        #expect(loader.initrd == .init(address: address, count: size))
    }

    @Test("an initrd that does not fit is refused with what would", arguments: [
        (64 << 20, ((64 - 19) << 20) + 1, 0xFFFF_FFFF, (64 - 19) << 20), (64 << 20, .max, 0xFFFF_FFFF, (64 - 19) << 20),
        (64 << 20, 1, 0xFFF, 0), (64 << 20, 1, 0, 0), (64 << 20, 1, (19 << 20) - 1, 0),
    ] as [(UInt64, UInt64, UInt32, UInt64)])
    func tooLarge(memory: UInt64, size: UInt64, maximum: UInt32, available: UInt64) {
        #expect(throws: BootError.initrdTooLarge(size: size, available: available)) {
            try loader(memory: memory, initrd: size, maximum: maximum)
        }
    }

    @Test("an empty initrd is refused, none is not")
    func empty() throws {
        #expect(throws: BootError.initrdEmpty) { try loader(memory: 64 << 20, initrd: 0) }
        #expect(try loader(memory: 64 << 20, initrd: nil).initrd == nil)
    }

    @Test("a command line may be as long as the kernel says, to the byte", arguments: [0, 255, 2047])
    func commandLine(limit: Int) throws {
        let size = UInt32(limit)
        let longest = String(repeating: "x", count: limit)
        let taken = try loader(memory: 64 << 20, initrd: nil, commandLine: longest, commandLineSize: size)
        #expect(taken.commandLine == longest)
        #expect(throws: BootError.commandLineTooLong(length: limit + 1, limit: limit)) {
            try loader(memory: 64 << 20, initrd: nil, commandLine: longest + "y", commandLineSize: size)
        }
    }

    @Test("a kernel that takes any command line gets one that fits its place")
    func commandLineRoom() {
        #expect(throws: BootError.commandLineTooLong(length: 65536, limit: 65535)) {
            let text = String(repeating: "x", count: 65536)
            return try loader(memory: 64 << 20, initrd: nil, commandLine: text, commandLineSize: .max)
        }
    }

    @Test("the kernel needs all its memory below 3 GiB, to the byte")
    func kernelMemory() throws {
        #expect(throws: BootError.needsMoreMemory(needed: 19 << 20, available: (19 << 20) - 4096)) {
            try loader(memory: (19 << 20) - 4096, initrd: nil)
        }
        _ = try loader(memory: 19 << 20, initrd: nil)
    }
}
