import GuestMemory

/// The headers of an x86-64 ELF kernel (System V ABI, chapters 4 and 5): a vmlinux, or anything with a PVH note.
struct ELFKernel {
    struct ProgramHeader: Equatable {
        var type: UInt32
        var fileOffset: UInt64
        var physicalAddress: UInt64
        var fileCount: UInt64
        var memoryCount: UInt64

        static let load: UInt32 = 1  // PT_LOAD
        static let interpreter: UInt32 = 3  // PT_INTERP
        static let note: UInt32 = 4  // PT_NOTE
    }

    static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
    /// No kernel comes near; a header that claims more is damaged.
    private static let programHeaderLimit = 128
    private static let programHeaderSize = 56
    private static let x86_64: UInt16 = 62  // EM_X86_64

    let entry: UInt64
    let segments: [ProgramHeader]
    let notes: [ProgramHeader]

    /// - Parameters:
    ///   - prefix: the file's first bytes, enough for the program headers, which linkers put behind the ELF header.
    ///   - fileSize: the file's size. Every segment is checked against it.
    init(_ prefix: ByteReader, fileSize: UInt64) throws(BootError) {
        guard prefix.bytes.count >= 64 else {
            throw .truncated(what: "the ELF header", end: 64, fileSize: fileSize)
        }
        // The fields are there: the header is 64 bytes long.
        func field<Value: FixedWidthInteger>(_ type: Value.Type, _ offset: Int) -> Value {
            prefix.field(type, at: offset) ?? 0
        }
        let machine = field(UInt16.self, 18)
        guard prefix.bytes[5] == 1, machine == Self.x86_64 else {
            throw .otherMachine(found: Self.machineName(machine, isLittleEndian: prefix.bytes[5] == 1))
        }
        guard prefix.bytes[4] == 2 else { throw .otherMachine(found: "32-bit x86 (ELF32)") }
        let type = field(UInt16.self, 16)
        guard type == 2 || type == 3 else {  // ET_EXEC, ET_DYN
            throw .notAKernel(found: "an ELF file of type \(type) (object file or core dump)")
        }
        entry = field(UInt64.self, 24)
        let count = Int(field(UInt16.self, 56))
        guard count > 0, count <= Self.programHeaderLimit, field(UInt16.self, 54) == Self.programHeaderSize else {
            throw .invalidHeader("\(count) program headers of \(field(UInt16.self, 54)) bytes, expected 1 to \(Self.programHeaderLimit) of \(Self.programHeaderSize)")
        }
        let table = field(UInt64.self, 32)
        let tableEnd = table.adding(UInt64(count * Self.programHeaderSize))
        guard let tableEnd, tableEnd <= UInt64(prefix.bytes.count) else {
            throw .truncated(what: "the program header table", end: tableEnd ?? .max, fileSize: fileSize)
        }
        var segments: [ProgramHeader] = []
        var notes: [ProgramHeader] = []
        for index in 0..<count {
            let header = try Self.programHeader(prefix, at: Int(table) + index * Self.programHeaderSize, fileSize)
            if header.type == ProgramHeader.interpreter { throw .notAKernel(found: "a program for Linux") }
            if header.type == ProgramHeader.load, header.memoryCount > 0 { segments.append(header) }
            if header.type == ProgramHeader.note { notes.append(header) }
        }
        guard !segments.isEmpty else { throw .notAKernel(found: "an ELF file without a segment to load") }
        self.segments = segments
        self.notes = notes
    }

    private static func programHeader(
        _ prefix: ByteReader, at offset: Int, _ fileSize: UInt64
    ) throws(BootError) -> ProgramHeader {
        func field(_ at: Int) -> UInt64 { prefix.field(UInt64.self, at: offset + at) ?? 0 }
        let header = ProgramHeader(type: prefix.field(UInt32.self, at: offset) ?? 0, fileOffset: field(8),
                                   physicalAddress: field(24), fileCount: field(32), memoryCount: field(40))
        guard header.type == ProgramHeader.load || header.type == ProgramHeader.note else { return header }
        let end = header.fileOffset.adding(header.fileCount)
        guard let end, end <= fileSize else {
            throw .truncated(what: "a segment", end: end ?? .max, fileSize: fileSize)
        }
        if header.type == ProgramHeader.load, header.fileCount > header.memoryCount {
            throw .invalidHeader("a segment with \(header.fileCount) bytes in the file and \(header.memoryCount) in memory")
        }
        return header
    }

    private static func machineName(_ machine: UInt16, isLittleEndian: Bool) -> String {
        switch machine {
        case 3: "32-bit x86 (ELF)"
        case 183: "arm64 (ELF)"
        case 243: "RISC-V (ELF)"
        default: "ELF machine \(machine)\(isLittleEndian ? "" : " or a big-endian one")"
        }
    }
}

/// What the notes of an ELF kernel tell.
struct KernelNotes: Equatable {
    /// The physical address of the 32-bit PVH entry (XEN_ELFNOTE_PHYS32_ENTRY).
    var pvhEntry: UInt64?
    /// Whether there is a note by Linux's own build.
    var isLinux = false

    private static let physicalEntry: UInt32 = 18  // XEN_ELFNOTE_PHYS32_ENTRY

    /// Reads the notes of one PT_NOTE segment. Damaged ones end the search; a kernel may do without.
    mutating func read(_ segment: [UInt8]) {
        let reader = ByteReader(segment)
        var offset = 0
        while let nameSize = reader.field(UInt32.self, at: offset), let size = reader.field(UInt32.self, at: offset + 4),
              let type = reader.field(UInt32.self, at: offset + 8) {
            // Sizes are bounded first, so that no sum below overflows; each step moves on by 12 bytes at least.
            guard nameSize <= segment.count, size <= segment.count else { return }
            let name = offset + 12
            let content = name + (Int(nameSize) + 3) & ~3
            if type == Self.physicalEntry, nameSize == 4, reader.starts(with: Array("Xen\0".utf8), at: name) {
                pvhEntry = size >= 8 ? reader.field(UInt64.self, at: content)
                    : reader.field(UInt32.self, at: content).map(UInt64.init)
            }
            if nameSize == 6, reader.starts(with: Array("Linux\0".utf8), at: name) { isLinux = true }
            offset = content + (Int(size) + 3) & ~3
        }
    }
}

extension KernelPlan {
    init(elf: ELFKernel, notes: KernelNotes, choice: EntryChoice) throws(BootError) {
        var segments: [Segment] = []
        for header in elf.segments {
            guard header.physicalAddress >= LowMemory.end, header.physicalAddress.adding(header.memoryCount) != nil else {
                throw .invalidHeader("a segment at physical address \(hexadecimal(header.physicalAddress)), expected 1 MiB or more")
            }
            segments.append(Segment(fileOffset: header.fileOffset, fileCount: header.fileCount,
                                    address: header.physicalAddress, memoryCount: header.memoryCount))
        }
        let entry: Entry
        switch (choice, notes.pvhEntry) {
        case (.pvh, nil): throw .invalidHeader("no PVH note (XEN_ELFNOTE_PHYS32_ENTRY), which --protocol pvh needs")
        case (.pvh, let address?): entry = Entry(kind: .pvh, address: address)
        case (.automatic, let address?) where !notes.isLinux: entry = Entry(kind: .pvh, address: address)
        default: entry = Entry(kind: .linux64, address: elf.entry)
        }
        guard segments.contains(where: { entry.address >= $0.address && entry.address - $0.address < $0.memoryCount }) else {
            throw .invalidHeader("the \(entry.kind.rawValue) entry \(hexadecimal(entry.address)) is in no segment")
        }
        self.init(
            format: .elf, isLinux: notes.isLinux, segments: segments, entry: entry, setupHeader: nil,
            initrdAddressMaximum: RAMLayout.holeStart - 1,
            // COMMAND_LINE_SIZE of Linux on x86 is 2048 with the terminating zero.
            commandLineLimit: 2047
        )
    }
}
