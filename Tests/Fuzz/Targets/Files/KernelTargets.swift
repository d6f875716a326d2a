import Boot
import GuestMemory
import LinuxSystem
import TestSupport

/// Kernel files, from a header of the right kind with some of its fields changed.
enum KernelTargets {
    static let bzImage = FuzzTarget("bzimage", maximumLength: 512) { input in
        var bytes = [UInt8](repeating: 0, count: 4096 + input.below(4096))
        for (value, offset) in [(0x55, 0x1FE), (0xAA, 0x1FF), (0xEB, 0x200), (0x6A, 0x201), (0x0F, 0x206), (2, 0x207), (1, 0x211)] {
            bytes[offset] = UInt8(value)
        }
        bytes.put(0x5372_6448 as UInt32, at: 0x202)  // HdrS
        bytes[0x1F1] = 2
        bytes.put(64 as UInt32, at: 0x1F4)
        bytes.put(0x7FFF_FFFF as UInt32, at: 0x22C)
        bytes.put(0x20_0000 as UInt32, at: 0x230)
        bytes.put(2047 as UInt32, at: 0x238)
        bytes.put(0x10_0000 as UInt64, at: 0x258)
        bytes.put(0x20_0000 as UInt32, at: 0x260)
        bytes[0x234] = 1
        bytes.put(3 as UInt16, at: 0x236)
        let fields = [0x1F1, 0x1F4, 0x1FE, 0x201, 0x202, 0x206, 0x211, 0x22C, 0x230, 0x234, 0x236, 0x238, 0x248, 0x24C, 0x258, 0x25C, 0x260, 0x264]
        while !input.isEmpty, input.below(8) != 0 { bytes.put(input.number(UInt32.self), at: input.pick(fields)) }
        try load(bytes, &input)
    }

    static let elf = FuzzTarget("elf", maximumLength: 1024) { input in
        let count = 1 + input.below(4)
        var bytes = [UInt8](repeating: 0, count: 64 + 56 * count)
        bytes.replaceSubrange(0..<6, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
        bytes.put(2 as UInt16, at: 16)
        bytes.put(62 as UInt16, at: 18)
        bytes.put(0x20_0000 as UInt64, at: 24)
        bytes.put(64 as UInt64, at: 32)
        bytes.put(56 as UInt16, at: 54)
        bytes.put(UInt16(count), at: 56)
        for index in 0..<count {
            let contents = input.once(in: 2) ? note(&input) : input.some(200)
            let place = 64 + 56 * index
            bytes.put(input.pick([1, 4, 4, 1, 3, 2] as [UInt32]), at: place)
            bytes.put(UInt64(bytes.count), at: place + 8)
            bytes.put(0x20_0000 + 0x1000 * UInt64(index), at: place + 24)
            bytes.put(UInt64(contents.count), at: place + 32)
            bytes.put(UInt64(contents.count) + UInt64(input.below(4096)), at: place + 40)
            bytes += contents
        }
        while !input.isEmpty, input.below(4) != 0 { bytes.put(input.number(UInt64.self), at: input.below(64 + 56 * count - 8)) }
        try load(bytes, &input)
    }

    /// As it comes.
    static let kernel = FuzzTarget("kernel", maximumLength: 8192) { input in try load(input.rest(), &input) }

    private static func note(_ input: inout FuzzInput) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 12)
        let name = Array(input.pick(["Xen\0", "Linux\0", "GNU\0", ""]).utf8)
        bytes.put(input.once(in: 8) ? input.number() : UInt32(name.count), at: 0)
        bytes.put(input.once(in: 8) ? input.number() : 8 as UInt32, at: 4)
        bytes.put(input.once(in: 8) ? input.number() : 18 as UInt32, at: 8)
        bytes += name + [UInt8](repeating: 0, count: (4 - name.count % 4) % 4)
        var address = [UInt8](repeating: 0, count: 8)
        address.put(input.once(in: 4) ? input.number() : 0x20_0000 as UInt64, at: 0)
        return bytes + address
    }

    /// Plans it, places it and loads it. What is planned lies in the file and in memory, and an initrd is nowhere near it.
    private static func load(_ bytes: [UInt8], _ input: inout FuzzInput) throws {
        let choice = input.pick([EntryChoice.automatic, .linux, .pvh])
        let initrd = input.once(in: 2) ? input.number(UInt64.self) : UInt64(1 + input.below(5000))
        do throws(BootError) {
            let kernel = try KernelFile(try file(bytes), choice: choice)
            let plan = kernel.plan
            for segment in plan.segments {
                require(segment.fileOffset <= bytes.count && segment.fileCount <= UInt64(bytes.count) - segment.fileOffset,
                        "a segment that is not in the file")
            }
            let extent = plan.extent
            require(plan.entry.address >= extent.lowerBound, "an entry below the kernel")
            guard let layout = RAMLayout(size: 64 << 20) else { violation("no layout") }
            let loader = try BootLoader(layout: layout, plan: plan, initrdSize: initrd, commandLine: "console=ttyS0")
            if let place = loader.initrd {
                require(place.address >= extent.upperBound && place.count <= layout.low.end - place.address,
                        "an initrd on the kernel, or outside of memory")
            }
            let initrdFile = initrd <= 1 << 16 ? try InitrdFile(try file([UInt8](repeating: 7, count: Int(initrd)))) : nil
            guard let initrdFile, let memory = try? GuestMemory(layout: layout) else { return }
            let state = try loader.load(kernel: kernel, initrdFile: initrdFile, into: memory, seed: [1, 2, 3], rsdp: 0xE0000)
            require(state.instructionPointer == plan.entry.address, "another entry than planned")
        } catch {
            require(!"\(error)".isEmpty, "an error without a word")
        }
    }

    private static func file(_ bytes: [UInt8]) throws(BootError) -> FileDescriptor {
        do {
            return try anonymousFile(bytes)
        } catch {
            throw .file(.current)
        }
    }
}
