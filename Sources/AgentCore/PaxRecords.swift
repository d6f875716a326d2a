/// The records of a pax extended header that mean something here.
struct PaxRecords: Sendable {
    var path: [UInt8]?
    var linkPath: [UInt8]?
    var size: UInt64?
    var user: UInt32?
    var group: UInt32?
    var time: (Int64, UInt32)?
    var attributes: [TarEntry.Attribute] = []

    private static let attributePrefix = Array("SCHILY.xattr.".utf8)

    mutating func add(_ bytes: [UInt8]) throws(TarReader.Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0 != UInt8(ascii: " ") }
            guard let length = Digits.decimal(digits), length <= UInt64(rest.count), Int(length) > digits.count + 1 else {
                throw .badExtension
            }
            let record = rest.prefix(Int(length)).dropFirst(digits.count + 1)
            guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw .badExtension }
            try add(Array(record[..<equals]), Array(record[record.index(after: equals)...].dropLast()))
            rest = rest.dropFirst(Int(length))
        }
    }

    private mutating func add(_ key: [UInt8], _ value: [UInt8]) throws(TarReader.Failure) {
        if Self.is(key, "path") {
            path = value
        } else if Self.is(key, "linkpath") {
            linkPath = value
        } else if Self.is(key, "size") {
            guard let number = Digits.decimal(value) else { throw .badExtension }
            size = number
        } else if Self.is(key, "uid") {
            user = try Self.identifier(value)
        } else if Self.is(key, "gid") {
            group = try Self.identifier(value)
        } else if Self.is(key, "mtime") {
            time = try Self.time(value)
        } else if key.starts(with: Self.attributePrefix) {
            attributes.append(TarEntry.Attribute(name: Array(key.dropFirst(Self.attributePrefix.count)), value: value))
        } else if key.starts(with: Array("GNU.sparse.".utf8)) {
            throw .unknownType(UInt8(ascii: "S"))
        }
    }

    private static func `is`(_ key: [UInt8], _ name: StaticString) -> Bool {
        key.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    private static func identifier(_ value: [UInt8]) throws(TarReader.Failure) -> UInt32 {
        guard let number = Digits.decimal(value), number <= UInt64(UInt32.max) else { throw .badExtension }
        return UInt32(number)
    }

    /// Seconds with a fraction of any length, and perhaps a sign: a number of seconds rounded down, and nanoseconds.
    private static func time(_ value: [UInt8]) throws(TarReader.Failure) -> (Int64, UInt32) {
        let isNegative = value.first == UInt8(ascii: "-")
        let parts = value.dropFirst(isNegative ? 1 : 0).split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let seconds = Digits.decimal(first), seconds <= UInt64(Int64.max) else { throw .badExtension }
        var nanoseconds: UInt32 = 0
        if parts.count > 1, !parts[1].isEmpty {
            guard let digits = Digits.decimal(Array((parts[1] + Array("000000000".utf8)).prefix(9))) else { throw .badExtension }
            nanoseconds = UInt32(digits)
        }
        guard isNegative else { return (Int64(seconds), nanoseconds) }
        return nanoseconds == 0 ? (-Int64(seconds), 0) : (-Int64(seconds) - 1, 1_000_000_000 - nanoseconds)
    }
}
