import GuestMemory
import LinuxSystem

/// What the boot processor's registers are to be at its first instruction.
public struct EntryState: Equatable, Sendable {
    public enum Mode: Sendable {
        /// Long mode on the page tables at `pageTables`.
        case long
        /// 32-bit protected mode without paging.
        case protected
    }

    public var mode: Mode
    public var instructionPointer: UInt64
    /// ESI or RSI: the zero page of the Linux protocols.
    public var sourceIndex: UInt64
    /// EBX: the start info of PVH.
    public var base: UInt64
    public var globalDescriptorTable: GuestAddress
    public var globalDescriptorTableCount: Int
    public var pageTables: GuestAddress
}

/// Puts a kernel, its initrd and what it is told into guest memory.
public struct BootLoader {
    /// An initrd's place.
    public struct Initrd: Equatable, Sendable {
        public var address: GuestAddress
        public var count: UInt64
    }

    let layout: RAMLayout
    let plan: KernelPlan
    public let initrd: Initrd?
    public let commandLine: String

    /// Decides where everything goes and refuses what does not fit. Touches no memory.
    public init(layout: RAMLayout, plan: KernelPlan, initrdSize: UInt64?, commandLine: String) throws(BootError) {
        self.layout = layout
        self.plan = plan
        self.commandLine = commandLine
        let extent = plan.extent
        guard extent.upperBound <= layout.low.end else {
            throw .needsMoreMemory(needed: extent.upperBound, available: layout.low.end)
        }
        let limit = min(plan.commandLineLimit, LowMemory.commandLineRoom - 1)
        guard commandLine.utf8.count <= limit else {
            throw .commandLineTooLong(length: commandLine.utf8.count, limit: limit)
        }
        if let initrdSize {
            initrd = try Self.place(initrdSize, plan, layout)
        } else {
            initrd = nil
        }
    }

    /// As high as it may lie, on a page of its own, above the kernel.
    private static func place(_ size: UInt64, _ plan: KernelPlan, _ layout: RAMLayout) throws(BootError) -> Initrd {
        guard size > 0 else { throw .initrdEmpty }
        let page = RAMLayout.pageSize
        let bottom = plan.extent.upperBound.aligned(to: page) ?? .max
        // The address of the last byte may be the maximum itself; the fields of the zero page have 32 bits.
        let top = min(layout.low.end, plan.initrdAddressMaximum.adding(1) ?? .max, RAMLayout.holeStart) & ~(page - 1)
        let available = top > bottom ? top - bottom : 0
        guard size <= available else { throw .initrdTooLarge(size: size, available: available) }
        return Initrd(address: (top - size) & ~(page - 1), count: size)
    }

    /// Loads everything. Guest memory must be fresh.
    ///
    /// - Parameters:
    ///   - seed: random bytes for the guest's entropy pool (SETUP_RNG_SEED).
    ///   - rsdp: where the ACPI tables begin; their bytes are the firmware's to write.
    public func load(
        kernel: borrowing KernelFile, initrdFile: InitrdFile?, into memory: GuestMemory,
        seed: [UInt8], rsdp: GuestAddress
    ) throws(BootError) -> EntryState {
        let mode: EntryState.Mode = plan.entry.kind == .linux64 ? .long : .protected
        try kernel.load(into: memory)
        do throws(GuestMemoryError) {
            if let initrd, let initrdFile {
                try memory.load(initrdFile.file, offset: 0, count: initrd.count, at: initrd.address)
            }
            try memory.write(Array(commandLine.utf8) + [0], at: LowMemory.commandLine)
            try EntryTables.write(to: memory, mode: mode)
            switch plan.entry.kind {
            case .linux64, .linux32: try writeZeroPage(memory, seed: seed, rsdp: rsdp)
            case .pvh: try writeStartInfo(memory, rsdp: rsdp)
            }
        } catch {
            throw .memory(error)
        }
        return EntryState(
            mode: mode,
            instructionPointer: plan.entry.address,
            sourceIndex: plan.entry.kind == .pvh ? 0 : LowMemory.zeroPage,
            base: plan.entry.kind == .pvh ? LowMemory.pvhStartInfo : 0,
            globalDescriptorTable: LowMemory.globalDescriptorTable,
            globalDescriptorTableCount: EntryTables.globalDescriptorTable(mode).count * 8,
            pageTables: LowMemory.pageTables
        )
    }

    private func writeZeroPage(_ memory: GuestMemory, seed: [UInt8], rsdp: GuestAddress) throws(GuestMemoryError) {
        var page = ZeroPage(header: plan.setupHeader)
        page.setCommandLine(address: LowMemory.commandLine, count: commandLine.utf8.count,
                            isHeaderMissing: plan.setupHeader == nil)
        if let initrd { page.setInitrd(address: initrd.address, count: initrd.count) }
        page.setMemoryMap(MemoryMapEntry.map(of: layout))
        page.setRSDP(rsdp)
        // struct setup_data: next, type, length, data. The kernel wipes the seed once it is mixed in.
        try memory.write(UInt64(0), at: LowMemory.randomSeed)
        try memory.write(UInt32(9), at: LowMemory.randomSeed + 8)  // SETUP_RNG_SEED
        try memory.write(UInt32(seed.count), at: LowMemory.randomSeed + 12)
        try memory.write(seed, at: LowMemory.randomSeed + 16)
        page.setSetupData(LowMemory.randomSeed)
        try memory.write(page.bytes, at: LowMemory.zeroPage)
    }

    private func writeStartInfo(_ memory: GuestMemory, rsdp: GuestAddress) throws(GuestMemoryError) {
        let info = PVHStartInfo(
            commandLine: LowMemory.commandLine, rsdp: rsdp,
            initrd: initrd.map { ($0.address, $0.count) }, memoryMap: MemoryMapEntry.map(of: layout))
        try info.write(to: memory)
    }
}
