/// `benchvsock`: connects to `test.port=` of the host, whose program does what a connection's first byte asks for, and times
/// `test.mib=` to it and from it in pieces of 64 KiB, and `test.trips=` of one byte there and back; `test.rounds=` times.
func measureVsock(_ options: Options) throws(Failure) {
    for _ in 0..<options.number("rounds", default: 1) { try measureRound(options) }
}

private func measureRound(_ options: Options) throws(Failure) {
    let port = UInt32(truncatingIfNeeded: options.number("port", default: 5000))
    let count = options.number("mib", default: 64) << 20
    let trips = options.number("trips", default: 2000)
    let buffer = try transferBuffer(1 << 16)
    let start = buffer.baseAddress!

    let sink = try connect(port, asking: "s", count: count)
    try measure("to_host", count: count) { () throws(Failure) in
        for _ in 0..<(count / buffer.count) {
            do throws(Errno) { try writeAll(sink, UnsafeRawBufferPointer(buffer)) } catch { throw Failure("write", error) }
        }
        // The host's word that all has arrived.
        try receive(sink, start, 1)
    }
    close(sink)

    let source = try connect(port, asking: "r", count: count)
    try measure("from_host", count: count) { () throws(Failure) in
        var left = count
        while left > 0 {
            let done = read(source, start, min(left, buffer.count))
            guard done > 0 else { throw Failure("read", .current) }
            left -= done
        }
    }
    close(source)

    let echo = try connect(port, asking: "e", count: 0)
    func trip() throws(Failure) {
        guard write(echo, start, 1) == 1 else { throw Failure("write", .current) }
        try receive(echo, start, 1)
    }
    for _ in 0..<10 { try trip() }
    try measure("round_trip", count: trips) { () throws(Failure) in
        for _ in 0..<trips { try trip() }
    }
    close(echo)
}

/// A connection to the host: its first byte says what it is for, the 8 bytes after it how many bytes are to flow. Returns when
/// the host has answered, so that what follows finds it ready.
private func connect(_ port: UInt32, asking request: String, count: Int) throws(Failure) -> Int32 {
    let socket = guest_connect_host(port)
    guard socket >= 0 else { throw Failure("connect to port \(port) of the host", .current) }
    var message = Array(request.utf8)
    for index in 0..<8 { message.append(UInt8(truncatingIfNeeded: count >> (8 * index))) }
    guard write(socket, message, message.count) == message.count else { throw Failure("write", .current) }
    var answer: UInt8 = 0
    try receive(socket, &answer, 1)
    // The host waits for this byte before it sends.
    if request == "r" { guard write(socket, &answer, 1) == 1 else { throw Failure("write", .current) } }
    return socket
}

private func receive(_ socket: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) throws(Failure) {
    guard read(socket, bytes, count) == count else { throw Failure("read", .current) }
}
