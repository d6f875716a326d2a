import LinuxSystem

/// Owner, group, mode and device numbers of a file with mapped ownership: the value of `user.svmm.status`, five 32-bit
/// numbers, little-endian.
struct MappedStatus: Equatable {
    var mode: UInt32
    var user: UInt32
    var group: UInt32
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0

    static let size = 20
    static let attribute = constantAttribute("user.svmm.status")

    init(mode: UInt32, user: UInt32, group: UInt32, deviceMajor: UInt32 = 0, deviceMinor: UInt32 = 0) {
        self.mode = mode
        self.user = user
        self.group = group
        self.deviceMajor = deviceMajor
        self.deviceMinor = deviceMinor
    }

    /// nil for what is no such value.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.size else { return nil }
        func number(_ index: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
        }
        self.init(mode: number(0), user: number(1), group: number(2), deviceMajor: number(3), deviceMinor: number(4))
    }

    var bytes: [UInt8] {
        [mode, user, group, deviceMajor, deviceMinor].flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
        }
    }

    /// nil when the file has none.
    static func read(_ file: borrowing FileDescriptor) throws(Errno) -> MappedStatus? {
        // One byte more than there should be, so that a longer value is not taken for a valid one.
        var room: (UInt64, UInt64, UInt64) = (0, 0, 0)
        do throws(Errno) {
            let raw = file.raw
            let result = withUnsafeMutableBytes(of: &room) { buffer -> Result<MappedStatus?, Errno> in
                do throws(Errno) {
                    let count = try LinuxSystem.attributeValue(of: raw, attribute, into: buffer)
                    return .success(MappedStatus(UnsafeRawBufferPointer(rebasing: buffer[..<count])))
                } catch {
                    return .failure(error)
                }
            }
            return try result.get()
        } catch {
            if error == .noAttribute || error == .notSupported || error == .outOfRange { return nil }
            throw error
        }
    }

    func write(_ file: borrowing FileDescriptor) throws(Errno) {
        try file.setAttribute(Self.attribute, bytes, .none)
    }

    /// Throws when the directory's file system keeps no such attribute.
    static func probe(_ directory: borrowing FileDescriptor) throws(Errno) {
        let name = constantAttribute("user.svmm.probe")
        try directory.setAttribute(name, [], .none)
        try directory.removeAttribute(name)
    }

    /// What a client sees of a file whose host attributes these are.
    func apply(to attributes: inout FileAttributes) {
        let hostType = FileType(mode: attributes.mode)
        var type = FileType(mode: mode) ?? .regular
        // A directory is one on the host too, and nothing else is.
        if hostType == .directory || type == .directory { type = hostType ?? .regular }
        attributes.mode = type.rawValue | mode & 0o7777
        attributes.user = user
        attributes.group = group
        if type == .characterDevice || type == .blockDevice {
            attributes.deviceMajor = deviceMajor
            attributes.deviceMinor = deviceMinor
        }
    }
}

/// A name that is written in this program.
private func constantAttribute(_ text: StaticString) -> AttributeName {
    let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard let name = try? AttributeName(bytes) else { preconditionFailure("a constant that is no attribute name") }
    return name
}
