/// Runs the body, and says how long it took: `figure NAME count=N ns=N`. What is counted is the caller's word.
func measure(_ name: String, count: Int, _ body: () throws(Failure) -> Void) throws(Failure) {
    let start = guest_nanoseconds()
    try body()
    say("figure \(name) count=\(count) ns=\(guest_nanoseconds() - start)")
}

/// Memory for transfers: whole pages, never freed. Each byte has been written, so that none is found missing while
/// something is measured.
func transferBuffer(_ count: Int) throws(Failure) -> UnsafeMutableRawBufferPointer {
    guard let start = aligned_alloc(4096, count) else { throw Failure("out of memory") }
    let buffer = UnsafeMutableRawBufferPointer(start: start, count: count)
    var random = Random(state: UInt64(count))
    for offset in stride(from: 0, to: count, by: 8) {
        buffer.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
    }
    return buffer
}
