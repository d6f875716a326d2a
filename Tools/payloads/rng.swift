// Asks the virtio-rng device for bytes in buffers of several sizes, alone and in chains, and looks at what comes.

let payloadName: StaticString = "rng"

func payload() {
    let device = VirtioDevice.require(VirtioDevice.Kind.entropy)
    let features = device.negotiate(VirtioDevice.Feature.eventIndex | VirtioDevice.Feature.indirectDescriptors)
    var queue = Virtqueue(device, features: features)
    device.setDriverOK()
    var total: UInt64 = 0
    for size in 0..<UInt32(17) {
        total += request(&queue, bytes: 1 << size, segments: 1)
        if queue.size >= 4 && size >= 2 { total += request(&queue, bytes: 1 << size, segments: 4) }
    }
    let segments = UInt32(min(16, queue.size))
    total += request(&queue, bytes: 1 << 20, segments: segments)
    total += request(&queue, bytes: 1 << 20, segments: 1)
    report("ok features=\(hex: features) bytes=\(total)")
    // With its device still active: what a machine that starts again has to take apart.
    if Options.word("rng.end", is: "reset") { Power.reset() }
}

func request(_ queue: inout Virtqueue, bytes: UInt32, segments: UInt32) -> UInt64 {
    let guardBytes: UInt = 64
    let buffer = UInt(Buffer.address)
    for offset in stride(from: 0, to: UInt(bytes) + guardBytes, by: 1) { store8(buffer + offset, 0) }
    let part = bytes / segments
    for segment in 0..<segments {
        let isLast = segment == segments - 1
        queue.setDescriptor(
            UInt16(segment), address: UInt64(buffer) + UInt64(segment * part),
            length: isLast ? bytes - segment * part : part,
            flags: Virtqueue.Descriptor.write | (isLast ? 0 : Virtqueue.Descriptor.next), next: UInt16(segment + 1))
    }
    queue.add(head: 0)
    queue.notify()
    let length = queue.wait("random bytes").length
    if length > bytes { fail("\(length) bytes for a buffer of \(bytes)") }
    if length == 0 { fail("no byte for a buffer of \(bytes)") }
    for offset in UInt(length)..<UInt(bytes) + guardBytes where load8(buffer + offset) != 0 {
        fail("byte \(offset) was written, the used length is \(length)")
    }
    if length >= 16 { checkRandom(buffer, length) }
    return UInt64(length)
}

/// Neither one byte repeated nor what the request before this one returned.
func checkRandom(_ buffer: UInt, _ length: UInt32) {
    let word = load64(buffer)
    if word == Buffer.last { fail("the same bytes twice") }
    Buffer.last = word
    var isConstant = true
    for offset in 1..<UInt(length) where load8(buffer + offset) != load8(buffer) { isConstant = false }
    if isConstant { fail("\(length) equal bytes") }
    // of 64 KiB of random bytes none is missing, and none comes twice as often as it should
    if length < 0x10000 { return }
    let counts = Buffer.counts
    for byte in 0..<UInt(256) { store32(counts + byte * 4, 0) }
    for offset in 0..<UInt(length) {
        let cell = counts + UInt(load8(buffer + offset)) * 4
        store32(cell, load32(cell) + 1)
    }
    for byte in 0..<UInt(256) where load32(counts + byte * 4) == 0 || load32(counts + byte * 4) > length / 128 {
        fail("byte \(byte) comes \(load32(counts + byte * 4)) times in \(length)")
    }
}

enum Buffer {
    nonisolated(unsafe) static var last: UInt64 = 0
    nonisolated(unsafe) private static var start: UInt = 0
    nonisolated(unsafe) private static var table: UInt = 0

    static var address: UInt {
        if start == 0 { start = Arena.take((1 << 20) + 64, alignment: 4096) }
        return start
    }

    static var counts: UInt {
        if table == 0 { table = Arena.take(1024) }
        return table
    }
}
