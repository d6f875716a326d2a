@testable import Boot
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Loading")
struct LoadTests {
    private static let rsdp: UInt64 = 0xE_0000
    private static let seed = (0..<64).map { UInt8($0) }

    private struct Loaded {
        let memory: GuestMemory
        let state: EntryState
        let loader: BootLoader
        func get<Value: BitwiseCopyable>(_ type: Value.Type, _ address: GuestAddress) throws -> Value {
            try memory.read(type, at: address)
        }
    }

    private func load(_ kernel: [UInt8], memory size: UInt64 = 64 << 20, initrd: [UInt8]? = nil,
                      commandLine: String = "quiet", choice: EntryChoice = .automatic) throws -> Loaded {
        let file = try KernelFile(try anonymousFile(kernel), choice: choice)
        let initrdFile = try initrd.map { try InitrdFile(try anonymousFile($0)) }
        let loader = try BootLoader(layout: layout(size), plan: file.plan, initrdSize: initrdFile?.size,
            commandLine: commandLine)
        let memory = try GuestMemory(layout: layout(size))
        let state = try loader.load(kernel: file, initrdFile: initrdFile, into: memory, seed: Self.seed,
            rsdp: Self.rsdp)
        return Loaded(memory: memory, state: state, loader: loader)
    }

    @Test("a bzImage, its initrd and its command line are where the zero page says")
    func zeroPage() throws {
        let image = BzImageBuilder().bytes
        let loaded = try load(image, initrd: [1, 2, 3], commandLine: "root=/dev/vda")
        let page = loaded.state.sourceIndex
        #expect(loaded.state.mode == .long)
        #expect(loaded.state.instructionPointer == 0x100_0200)
        #expect(try loaded.memory.bytes(at: 0x100_0000, count: 1024) == Array(image[1536...]))
        // The setup header, as it was, but for what the boot loader fills in.
        #expect(try loaded.get(UInt16.self, page + 0x1FE) == 0xAA55)
        #expect(try loaded.get(UInt32.self, page + 0x202) == 0x5372_6448)
        #expect(try loaded.get(UInt16.self, page + 0x206) == 0x020F)
        #expect(try loaded.get(UInt8.self, page + 0x210) == 0xFF)
        #expect(try loaded.get(UInt32.self, page + 0x230) == 0x20_0000)
        #expect(try loaded.get(UInt64.self, page + 0x258) == 0x100_0000)
        #expect(try loaded.get(UInt64.self, page + 0x070) == Self.rsdp)
        let initrd = try loaded.get(UInt32.self, page + 0x218)
        #expect(try loaded.get(UInt32.self, page + 0x21C) == 3)
        #expect(try loaded.memory.bytes(at: UInt64(initrd), count: 4) == [1, 2, 3, 0])
        let text = try loaded.get(UInt32.self, page + 0x228)
        #expect(try loaded.memory.bytes(at: UInt64(text), count: 14) == Array("root=/dev/vda".utf8) + [0])
    }

    @Test("without an initrd the zero page names none")
    func noInitrd() throws {
        let loaded = try load(BzImageBuilder().bytes)
        #expect(try loaded.get(UInt64.self, loaded.state.sourceIndex + 0x218) == 0)
    }

    @Test("a seed for the guest's random numbers is passed as setup data")
    func seed() throws {
        let loaded = try load(BzImageBuilder().bytes)
        let data = try loaded.get(UInt64.self, loaded.state.sourceIndex + 0x250)
        #expect(try loaded.get(UInt64.self, data) == 0)
        #expect(try loaded.get(UInt32.self, data + 8) == 9)
        #expect(try loaded.get(UInt32.self, data + 12) == 64)
        #expect(try loaded.memory.bytes(at: data + 16, count: 64) == Self.seed)
    }

    @Test("an ELF kernel gets a header that Linux accepts")
    func elf() throws {
        let loaded = try load(ELFBuilder.make { $0.segments[0].memoryCount = 0x1000 }, commandLine: "abc")
        let page = loaded.state.sourceIndex
        #expect(loaded.state.mode == .long)
        #expect(try loaded.get(UInt16.self, page + 0x1FE) == 0xAA55)
        #expect(try loaded.get(UInt32.self, page + 0x202) == 0x5372_6448)
        #expect(try loaded.get(UInt32.self, page + 0x238) >= 3)
        #expect(try loaded.memory.bytes(at: 0x100_0000, count: 257) == [UInt8](repeating: 0x90, count: 256) + [0])
    }

    @Test("the memory map ascends, does not overlap and holds all RAM but the first megabyte's upper part",
          arguments: [1 << 20, 64 << 20, 3 << 30, (3 << 30) + 4096, 8 << 30] as [UInt64])
    func memoryMap(size: UInt64) throws {
        let layout = try layout(size)
        let map = MemoryMapEntry.map(of: layout)
        for (lower, upper) in zip(map, map.dropFirst()) { #expect(lower.start + lower.count <= upper.start) }
        let ram = map.filter { $0.kind == .ram }.map(\.count).reduce(0, +)
        #expect(ram == size - (0x10_0000 - 0x9_FC00))
        for entry in map where entry.kind == .ram {
            #expect(layout.regions.contains { entry.start >= $0.start && entry.start + entry.count <= $0.end })
        }
        #expect(map.contains { $0.kind == .reserved && $0.start <= 0xFEFF_C000 && $0.start + $0.count >= 0xFF00_0000 })
    }

    @Test("the zero page holds the memory map at its place")
    func e820() throws {
        let loaded = try load(BzImageBuilder().bytes, memory: 4 << 30)
        let page = loaded.state.sourceIndex
        let map = MemoryMapEntry.map(of: try layout(4 << 30))
        #expect(try Int(loaded.get(UInt8.self, page + 0x1E8)) == map.count)
        for (index, entry) in map.enumerated() {
            let place = page + 0x2D0 + 20 * UInt64(index)
            #expect(try loaded.get(UInt64.self, place) == entry.start)
            #expect(try loaded.get(UInt64.self, place + 8) == entry.count)
            #expect(try loaded.get(UInt32.self, place + 16) == entry.kind.rawValue)
        }
    }

    @Test("a PVH kernel finds its start info in EBX")
    func pvh() throws {
        let kernel = ELFBuilder.make(notes: ELFBuilder.pvhNote(0x100_0010))
        let loaded = try load(kernel, memory: 4 << 30, initrd: [5, 6], commandLine: "hello", choice: .pvh)
        let info = loaded.state.base
        #expect(loaded.state.mode == .protected)
        #expect(loaded.state.instructionPointer == 0x100_0010)
        #expect(loaded.state.sourceIndex == 0)
        #expect(try loaded.get(UInt32.self, info) == 0x336E_C578)
        #expect(try loaded.get(UInt32.self, info + 4) == 1)
        #expect(try loaded.get(UInt32.self, info + 8) == 0)
        #expect(try loaded.get(UInt32.self, info + 12) == 1)
        let module = try loaded.get(UInt64.self, info + 16)
        #expect(try loaded.get(UInt64.self, module) == loaded.loader.initrd?.address)
        #expect(try loaded.get(UInt64.self, module + 8) == 2)
        let text = try loaded.get(UInt64.self, info + 24)
        #expect(try loaded.memory.bytes(at: text, count: 6) == Array("hello\0".utf8))
        #expect(try loaded.get(UInt64.self, info + 32) == Self.rsdp)
        let table = try loaded.get(UInt64.self, info + 40)
        let map = MemoryMapEntry.map(of: try layout(4 << 30))
        #expect(try Int(loaded.get(UInt32.self, info + 48)) == map.count)
        for (index, entry) in map.enumerated() {
            #expect(try loaded.get(UInt64.self, table + 24 * UInt64(index)) == entry.start)
            #expect(try loaded.get(UInt64.self, table + 24 * UInt64(index) + 8) == entry.count)
            #expect(try loaded.get(UInt32.self, table + 24 * UInt64(index) + 16) == entry.kind.rawValue)
        }
    }

    @Test("a PVH kernel without an initrd has no modules")
    func pvhNoInitrd() throws {
        let loaded = try load(ELFBuilder.make(notes: ELFBuilder.pvhNote(0x100_0010)), choice: .pvh)
        #expect(try loaded.get(UInt32.self, loaded.state.base + 12) == 0)
        #expect(try loaded.get(UInt64.self, loaded.state.base + 16) == 0)
    }

    @Test("the page tables map the first 4 GiB to themselves, and the descriptors are flat", arguments: [
        0, 0x1000, 0x20_0000, 0x100_0200, 0x3FFF_FFFF, 0x4000_0000, 0xBFFF_FFFF, 0xFEE0_0000, 0xFFFF_FFFF,
    ] as [UInt64])
    func pageTables(address: UInt64) throws {
        let loaded = try load(BzImageBuilder().bytes)
        let mask: UInt64 = 0x000F_FFFF_FFFF_F000
        let top = try loaded.get(UInt64.self, loaded.state.pageTables + 8 * (address >> 39))
        let pointer = try loaded.get(UInt64.self, top & mask + 8 * (address >> 30 & 511))
        let large = try loaded.get(UInt64.self, pointer & mask + 8 * (address >> 21 & 511))
        #expect(top & 3 == 3 && pointer & 3 == 3 && large & 0x83 == 0x83)
        #expect(large & 0x000F_FFFF_FFE0_0000 | address & 0x1F_FFFF == address)
        #expect(try loaded.get(UInt64.self, loaded.state.globalDescriptorTable + 0x10) == 0x00AF_9B00_0000_FFFF)
        #expect(try loaded.get(UInt64.self, loaded.state.globalDescriptorTable + 0x18) == 0x00CF_9300_0000_FFFF)
        #expect(loaded.state.globalDescriptorTableCount >= 0x28)
    }

    @Test("a kernel that became shorter after it was planned is an error")
    func shrunk() throws {
        let directory = TemporaryDirectory()
        let path = try directory.file("kernel", BzImageBuilder().bytes)
        let file = try KernelFile(try FileDescriptor.open(path, .readOnly))
        _ = try directory.file("kernel", [1, 2, 3])
        let loader = try BootLoader(layout: layout(64 << 20), plan: file.plan, initrdSize: nil, commandLine: "")
        let memory = try GuestMemory(layout: layout(64 << 20))
        var found: BootError?
        do throws(BootError) {
            _ = try loader.load(kernel: file, initrdFile: nil, into: memory, seed: Self.seed, rsdp: 0)
        } catch {
            found = error
        }
        #expect(found == .memory(.fileRead(offset: 1536, nil)))
    }
}
