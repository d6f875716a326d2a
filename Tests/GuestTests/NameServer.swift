import TestSupport

/// A name server at 127.0.0.1 of the calling thread's network namespace that gives every name one address: see `DatagramServer.stop`.
func startNameServer(address: [UInt8]) throws -> DatagramServer {
    try DatagramServer(address: "127.0.0.1", port: 53) { answer(to: $0, address) }
}

/// Answers one question (RFC 1035, 4.1): an A record, or no record for other types.
private func answer(to question: ArraySlice<UInt8>, _ address: [UInt8]) -> [UInt8]? {
    let bytes = Array(question)
    guard bytes.count > 16, let end = bytes[12...].firstIndex(of: 0), end + 5 <= bytes.count else { return nil }
    let isAddress = bytes[end + 1] == 0 && bytes[end + 2] == 1
    var reply = Array(bytes[..<(end + 5)])
    reply[2...11] = [0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0]
    if isAddress { reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + address }
    return reply
}
