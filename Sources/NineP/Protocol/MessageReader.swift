import LinuxSystem

/// Reads the fields of one request. Every length is checked before it is used; a message that ends too early, or too
/// late, throws `.invalidArgument`.
struct MessageReader {
    // Sound: the bytes are the worker's own copy of the request, which stays until the request is served. What the
    // client does to its memory meanwhile is not seen here.
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) throws(Errno) -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= bytes.count - offset else { throw .invalidArgument }
        defer { offset += size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    mutating func byte() throws(Errno) -> UInt8 { try integer(UInt8.self) }
    mutating func short() throws(Errno) -> UInt16 { try integer(UInt16.self) }
    mutating func word() throws(Errno) -> UInt32 { try integer(UInt32.self) }
    mutating func long() throws(Errno) -> UInt64 { try integer(UInt64.self) }

    /// A string of the protocol, which is any bytes: length[2], then so many. Valid while the request is served.
    mutating func string() throws(Errno) -> UnsafeRawBufferPointer {
        let count = Int(try short())
        guard count <= bytes.count - offset else { throw .invalidArgument }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
    }

    /// The name of a directory entry.
    mutating func name() throws(Errno) -> FileName {
        try FileName(try string())
    }

    /// Checks that nothing is left over.
    func finish() throws(Errno) {
        guard offset == bytes.count else { throw .invalidArgument }
    }
}
