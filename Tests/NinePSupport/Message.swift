import LinuxSystem

/// The numbers of the requests (include/net/9p/9p.h), written again here so that the server's own table is tested too.
public enum Request: UInt8, CaseIterable {
    case statfs = 8, lopen = 12, lcreate = 14, symlink = 16, mknod = 18, rename = 20, readlink = 22, getattr = 24,
         setattr = 26, xattrwalk = 30, xattrcreate = 32, readdir = 40, fsync = 50, lock = 52, getlock = 54, link = 70,
         mkdir = 72, renameat = 74, unlinkat = 76, version = 100, auth = 102, attach = 104, flush = 108, walk = 110,
         read = 116, write = 118, clunk = 120, remove = 122
}

/// Builds a message.
public struct Message {
    public private(set) var bytes: [UInt8]

    public init(_ type: UInt8, tag: UInt16 = 1) {
        bytes = [0, 0, 0, 0, type, UInt8(truncatingIfNeeded: tag), UInt8(truncatingIfNeeded: tag >> 8)]
    }

    public init(_ type: Request, tag: UInt16 = 1) {
        self.init(type.rawValue, tag: tag)
    }

    public func put<Value: FixedWidthInteger>(_ value: Value) -> Message {
        var copy = self
        for index in 0..<(Value.bitWidth / 8) {
            copy.bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index)))
        }
        return copy
    }

    public func byte(_ value: UInt8) -> Message { put(value) }
    public func short(_ value: UInt16) -> Message { put(value) }
    public func word(_ value: UInt32) -> Message { put(value) }
    public func long(_ value: UInt64) -> Message { put(value) }
    public func string(_ value: [UInt8]) -> Message { short(UInt16(value.count)).raw(value) }
    public func string(_ value: String) -> Message { string(Array(value.utf8)) }

    public func raw(_ value: [UInt8]) -> Message {
        var copy = self
        copy.bytes += value
        return copy
    }

    /// With its size in place.
    public var finished: [UInt8] {
        var bytes = bytes
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: UInt32(bytes.count) >> UInt32(8 * index)) }
        return bytes
    }
}

/// Takes a reply apart.
public struct Fields {
    private let bytes: [UInt8]
    public private(set) var offset = 0

    public struct Short: Error {}

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public var left: Int { bytes.count - offset }

    public mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        let data = try raw(Value.bitWidth / 8)
        return data.enumerated().reduce(0) { $0 | Value(truncatingIfNeeded: $1.element) << Value(8 * $1.offset) }
    }

    public mutating func byte() throws -> UInt8 { try integer(UInt8.self) }
    public mutating func short() throws -> UInt16 { try integer(UInt16.self) }
    public mutating func word() throws -> UInt32 { try integer(UInt32.self) }
    public mutating func long() throws -> UInt64 { try integer(UInt64.self) }
    public mutating func string() throws -> [UInt8] { try raw(Int(try short())) }

    public mutating func raw(_ count: Int) throws -> [UInt8] {
        guard count <= left else { throw Short() }
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    public mutating func qid() throws -> WireQid {
        WireQid(type: try byte(), version: try word(), path: try long())
    }
}

public struct WireQid: Equatable, Hashable {
    public let type: UInt8
    public let version: UInt32
    public let path: UInt64
}
