import LinuxSystem

/// Writes the fields of one reply into a buffer of fixed size. What does not fit is remembered, not written.
struct MessageWriter {
    // Sound: the buffer is the worker's own and outlives the writer.
    private let buffer: UnsafeMutableRawBufferPointer
    private(set) var count: Int
    private(set) var isTooLarge = false

    /// - Parameter start: fields are written from here on.
    init(_ buffer: UnsafeMutableRawBufferPointer, start: Int) {
        self.buffer = buffer
        count = start
    }

    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        guard MemoryLayout<Value>.size <= buffer.count - count else {
            isTooLarge = true
            return
        }
        buffer.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    /// length[2], then the bytes.
    mutating func put(string: some Collection<UInt8>) {
        guard string.count <= Int(UInt16.max), string.count + 2 <= buffer.count - count else {
            isTooLarge = true
            return
        }
        put(UInt16(string.count))
        UnsafeMutableRawBufferPointer(rebasing: buffer[count..<(count + string.count)]).copyBytes(from: string)
        count += string.count
    }

    /// type[1] version[4] path[8]
    mutating func put(_ qid: Qid) {
        put(qid.type)
        put(qid.version)
        put(qid.path)
    }

    mutating func put(_ time: FileTime) {
        put(UInt64(bitPattern: time.seconds))
        put(UInt64(time.nanoseconds))
    }

    /// Puts an integer in place of one written before.
    func replace<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        guard offset + MemoryLayout<Value>.size <= count else { return }
        buffer.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }

    /// The bytes from the buffer's begin.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
}
