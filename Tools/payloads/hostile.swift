// Attacks virtio-blk and virtio-rng, whichever are there. After every attack the device is reset and has to work again.

let payloadName: StaticString = "hostile"

func payload() {
    var attacks = 0
    var devices = 0
    if let block = VirtioDevice.find(VirtioDevice.Kind.block) {
        attacks += Attacker(device: block, isBlock: true).runAll()
        devices += 1
    }
    if let entropy = VirtioDevice.find(VirtioDevice.Kind.entropy) {
        attacks += Attacker(device: entropy, isBlock: false).runAll()
        devices += 1
    }
    if devices == 0 { fail("no virtio-blk or virtio-rng device") }
    report("ok \(attacks) attacks")
}

/// `InlineArray` is no `Sequence`.
func forEach<let count: Int, Value>(_ values: InlineArray<count, Value>, _ body: (Value) -> Void) {
    for index in values.indices { body(values[index]) }
}

/// One device under attack. Every attack starts with a fresh device at DRIVER_OK and a queue of at most 64 entries.
struct Attacker {
    typealias Register = VirtioDevice.Register
    typealias Status = VirtioDevice.Status
    static let next = Virtqueue.Descriptor.next
    static let write = Virtqueue.Descriptor.write
    static let indirect = Virtqueue.Descriptor.indirect
    static let features =
        VirtioDevice.Feature.indirectDescriptors | VirtioDevice.Feature.eventIndex | VirtioDevice.Feature.blockFlush
    static let localAPIC: UInt64 = 0xFEE0_0000

    let device: VirtioDevice
    let isBlock: Bool
    let endOfMemory = Boot.endOfLowMemory

    func runAll() -> Int {
        checkWorks()
        return chains() + rings() + indirectTables() + requests() + registers() + accesses() + lifecycle()
    }

    /// Returns 1, so that attacks can be summed up.
    func attack(_ name: StaticString, _ body: (inout Virtqueue) -> Void) -> Int {
        report("\(isBlock ? "block" : "rng") \(name)")
        Arena.takeBackAll()
        var queue = Virtqueue(device, features: device.negotiate(Self.features), limit: 64)
        device.setDriverOK()
        body(&queue)
        wait(cycles: 1_000_000)
        checkWorks()
        return 1
    }

    /// Reset, set up, one request.
    func checkWorks() {
        Arena.takeBackAll()
        if isBlock {
            var block = BlockQueue(device, wanted: Self.features, depth: 1, indirect: false)
            block.expect(
                BlockQueue.Result.ok, BlockQueue.Request.read, sector: 0, length: 512, "read after an attack")
        } else {
            var queue = Virtqueue(device, features: device.negotiate(Self.features))
            device.setDriverOK()
            let buffer = Arena.take(64)
            queue.setDescriptor(0, address: UInt64(buffer), length: 64, flags: Self.write)
            queue.add(head: 0)
            queue.notify()
            let length = queue.wait("random bytes after an attack").length
            if length == 0 || length > 64 { fail("\(length) random bytes of 64 after an attack") }
        }
    }

    /// Notifies whatever the device asked for, and gives it time.
    func kick() {
        device[Register.queueNotify] = 0
        wait(cycles: 1_000_000)
    }

    /// A chain whose data descriptor is the given one, inside a good read request for virtio-blk.
    func submit(_ queue: inout Virtqueue, address: UInt64, length: UInt32, flags: UInt16 = 0, next: UInt16 = 0) {
        if isBlock {
            let header = Arena.take(32)
            queue.setDescriptor(0, address: UInt64(header), length: 16, flags: Self.next, next: 1)
            queue.setDescriptor(
                1, address: address, length: length, flags: Self.write | (flags == 0 ? Self.next : flags),
                next: flags == 0 ? 2 : next)
            queue.setDescriptor(2, address: UInt64(header) + 16, length: 1, flags: Self.write)
        } else {
            queue.setDescriptor(0, address: address, length: length, flags: Self.write | flags, next: next)
        }
        queue.add(head: 0)
        queue.publish()
        kick()
    }

    private func goodBuffer() -> UInt64 { UInt64(Arena.take(4096, alignment: 4096)) }

    private func chains() -> Int {
        let end = endOfMemory
        var count = 0
        count += attack("buffer past the end of memory") { submit(&$0, address: end, length: 512) }
        count += attack("buffer across the end of memory") { submit(&$0, address: end - 256, length: 512) }
        count += attack("buffer at the end of the address space") { submit(&$0, address: .max - 255, length: 512) }
        count += attack("buffer whose end overflows") { submit(&$0, address: .max - 255, length: .max) }
        count += attack("buffer in the MMIO hole") { submit(&$0, address: UInt64(device.base), length: 512) }
        // where a machine takes a device's write to this page for a message-signalled interrupt, it may be an INIT
        if Options.number("hostile.apic", default: 1) != 0 {
            count += attack("buffer on the local APIC") { submit(&$0, address: Self.localAPIC, length: 512) }
        }
        count += attack("buffer above the address width") { submit(&$0, address: 1 << 60, length: 512) }
        count += attack("buffer of 4 GiB") { submit(&$0, address: goodBuffer(), length: .max) }
        count += attack("buffer of no bytes") { submit(&$0, address: goodBuffer(), length: 0) }
        count += attack("descriptor that follows itself") {
            submit(&$0, address: goodBuffer(), length: 512, flags: Self.next, next: isBlock ? 1 : 0)
        }
        count += attack("two descriptors in a ring") {
            $0.setDescriptor(
                3, address: goodBuffer(), length: 512, flags: Self.write | Self.next, next: isBlock ? 1 : 0)
            submit(&$0, address: goodBuffer(), length: 512, flags: Self.next, next: 3)
        }
        count += attack("next beyond the table") {
            submit(&$0, address: goodBuffer(), length: 512, flags: Self.next, next: $0.size)
        }
        count += attack("next of 65535") {
            submit(&$0, address: goodBuffer(), length: 512, flags: Self.next, next: .max)
        }
        count += attack("undefined descriptor flags") { submit(&$0, address: goodBuffer(), length: 512, flags: 0xFFF8) }
        count += attack("every descriptor in one chain of 4 GiB each") { queue in
            for number in 0..<queue.size {
                queue.setDescriptor(
                    number, address: 0, length: .max, flags: Self.write | (number + 1 < queue.size ? Self.next : 0),
                    next: number + 1)
            }
            queue.add(head: 0)
            queue.publish()
            kick()
        }
        count += attack("readable after writable") { queue in
            let buffer = goodBuffer()
            queue.setDescriptor(0, address: buffer, length: 16, flags: Self.write | Self.next, next: 1)
            queue.setDescriptor(1, address: buffer + 512, length: 512, flags: 0)
            queue.add(head: 0)
            queue.publish()
            kick()
        }
        return count
    }

    private func rings() -> Int {
        var count = 0
        forEach([1, 63, 65, 0x7FFF, 0xFFFF]) { (ahead: UInt16) in
            count += attack("available index ahead") { queue in
                queue.publish(ahead: ahead)
                kick()
                kick()
            }
        }
        forEach([64, 0x8000, 0xFFFF]) { (head: UInt16) in
            count += attack("head beyond the table") { queue in
                queue.add(head: head)
                queue.publish()
                kick()
            }
        }
        count += attack("the same head in the whole ring") { queue in
            let buffer = goodBuffer()
            queue.setDescriptor(0, address: buffer, length: 512, flags: Self.write)
            for _ in 0..<queue.size { queue.add(head: 0) }
            queue.publish()
            kick()
        }
        count += attack("available index that runs backwards") { queue in
            queue.publish(ahead: 10)
            kick()
            queue.publish(ahead: 5)
            kick()
        }
        count += attack("descriptors rewritten while the device reads them") { queue in
            let buffer = goodBuffer()
            submit(&queue, address: buffer, length: 512)
            let data: UInt16 = isBlock ? 1 : 0
            let flags = isBlock ? Self.write | Self.next : Self.write
            for turn in 0..<UInt32(2000) {
                let isBad = turn & 1 == 0
                queue.setDescriptor(
                    data, address: isBad ? endOfMemory - 8 : buffer, length: isBad ? .max : 512, flags: flags, next: 2)
                if turn % 20 == 0 {
                    queue.add(head: 0)
                    queue.publish()
                    device[Register.queueNotify] = 0
                }
            }
        }
        return count
    }

    private func indirectTables() -> Int {
        func attack(_ name: StaticString, address: UInt64?, length: UInt32, flags: UInt16 = 0, inner: UInt16 = 0) -> Int
        {
            self.attack(name) { queue in
                let table = UInt(goodBuffer())
                let buffer = goodBuffer()
                for entry in 0..<UInt(8) {
                    Virtqueue.writeDescriptor(
                        table + entry * 16, address: inner & Self.indirect != 0 ? UInt64(table) : buffer,
                        length: inner & Self.indirect != 0 ? 128 : 512, flags: Self.write | inner, next: 0)
                }
                queue.setDescriptor(
                    0, address: address ?? UInt64(table), length: length, flags: Self.indirect | flags, next: 0)
                queue.add(head: 0)
                queue.publish()
                kick()
            }
        }
        var count = 0
        count += attack("indirect table in an indirect table", address: nil, length: 128, inner: Self.indirect)
        count += attack("indirect table that loops", address: nil, length: 128, inner: Self.next)
        count += attack("indirect table with next", address: nil, length: 128, flags: Self.next)
        count += attack("indirect table that is writable", address: nil, length: 128, flags: Self.write)
        count += attack("indirect table of no bytes", address: nil, length: 0)
        count += attack("indirect table of 15 bytes", address: nil, length: 15)
        count += attack("indirect table of 100 bytes", address: nil, length: 100)
        count += attack("indirect table of 4 GiB", address: nil, length: 0xFFFF_FFF0)
        count += attack("indirect table past the end of memory", address: endOfMemory, length: 128)
        count += attack("indirect table across the end of memory", address: endOfMemory - 16, length: 128)
        count += attack("indirect table at the end of the address space", address: .max - 127, length: 128)
        count += attack("indirect table at an odd address", address: 0x10_0001, length: 128)
        return count
    }

    private func requests() -> Int {
        if !isBlock {
            return self.attack("readable buffer only") { queue in
                queue.setDescriptor(0, address: goodBuffer(), length: 64, flags: 0)
                queue.add(head: 0)
                queue.publish()
                kick()
            }
        }
        // header length, header flags, status length, status flags
        func attack(_ name: StaticString, header: (UInt32, UInt16), data: UInt32, status: (UInt32, UInt16)) -> Int {
            self.attack(name) { queue in
                let buffer = goodBuffer()
                queue.setDescriptor(0, address: buffer, length: header.0, flags: header.1 | Self.next, next: 1)
                queue.setDescriptor(1, address: buffer + 512, length: data, flags: Self.write | Self.next, next: 2)
                queue.setDescriptor(2, address: buffer + 2048, length: status.0, flags: status.1)
                queue.add(head: 0)
                queue.publish()
                kick()
            }
        }
        var count = 0
        count += attack("request with a writable header", header: (16, Self.write), data: 512, status: (1, Self.write))
        count += attack("request with a short header", header: (7, 0), data: 512, status: (1, Self.write))
        count += attack("request with an empty header", header: (0, 0), data: 512, status: (1, Self.write))
        count += attack("request with a readable status", header: (16, 0), data: 512, status: (1, 0))
        count += attack("request with an empty status", header: (16, 0), data: 512, status: (0, Self.write))
        count += self.attack("request of a header alone") { queue in
            queue.setDescriptor(0, address: goodBuffer(), length: 16, flags: 0)
            queue.add(head: 0)
            queue.publish()
            kick()
        }
        count += self.attack("request of a status alone") { queue in
            queue.setDescriptor(0, address: goodBuffer(), length: 1, flags: Self.write)
            queue.add(head: 0)
            queue.publish()
            kick()
        }
        return count
    }

    private func registers() -> Int {
        let end = endOfMemory
        var count = 0
        count += attack("queue registers rewritten after DRIVER_OK") { queue in
            rewriteQueue(size: 0x8000, rings: end - 8)
            submit(&queue, address: goodBuffer(), length: 512)
        }
        count += attack("queue size 0 written after DRIVER_OK") { queue in
            rewriteQueue(size: 0, rings: 0)
            submit(&queue, address: goodBuffer(), length: 512)
        }
        count += attack("queue not ready and ready again after DRIVER_OK") { queue in
            device[Register.queueReady] = 0
            rewriteQueue(size: 3, rings: .max - 63)
            device[Register.queueReady] = 1
            submit(&queue, address: goodBuffer(), length: 512)
        }
        count += attack("features rewritten after DRIVER_OK") { queue in
            device.accept(.max)
            submit(&queue, address: goodBuffer(), length: 512)
        }
        count += attack("queue selector out of range") { _ in
            forEach([1, 0xFF, 0xFFFF, 0x10000, .max]) { (selector: UInt32) in
                device[Register.queueSelector] = selector
                if device[Register.queueSizeMaximum] > 0x8000 { fail("queue \(selector): maximum size above 32768") }
                _ = device[Register.queueReady]
                rewriteQueue(size: 8, rings: 0x10_0000)
                device[Register.queueReady] = 1
                device[Register.queueNotify] = selector
            }
        }
        count += attack("feature selectors out of range") { _ in
            forEach([2, 31, 32, 0x8000_0000, .max]) { (selector: UInt32) in
                device[Register.deviceFeaturesSelector] = selector
                _ = device[Register.deviceFeatures]
                device[Register.driverFeaturesSelector] = selector
                device[Register.driverFeatures] = .max
            }
        }
        // size, address of the rings, set up before DRIVER_OK
        func setUp(_ name: StaticString, size: UInt32, rings: UInt64) -> Int {
            attack(name) { _ in
                _ = device.negotiate(Self.features)
                device[Register.queueSelector] = 0
                rewriteQueue(size: size, rings: rings)
                device[Register.queueReady] = 1
                _ = device[Register.queueReady]
                device.setDriverOK()
                kick()
                device[Register.queueReady] = 0
                kick()
            }
        }
        let low: UInt64 = 0x10_0000
        count += setUp("queue of size 0", size: 0, rings: low)
        count += setUp("queue of size 3", size: 3, rings: low)
        count += setUp("queue larger than the maximum", size: 0x8000, rings: low)
        count += setUp("queue of size 65536", size: 0x10000, rings: low)
        count += setUp("queue of size 2^32 - 1", size: .max, rings: low)
        count += setUp("rings past the end of memory", size: 64, rings: end)
        count += setUp("rings across the end of memory", size: 64, rings: end - 16)
        count += setUp("rings at the end of the address space", size: 64, rings: .max - 15)
        count += setUp("rings in the MMIO hole", size: 64, rings: UInt64(device.base))
        count += setUp("rings at an odd address", size: 64, rings: low + 1)
        count += setUp("rings at address 0", size: 64, rings: 0)
        return count
    }

    private func rewriteQueue(size: UInt32, rings: UInt64) {
        device[Register.queueSize] = size
        device.setAddress(Register.queueDescriptors, rings)
        device.setAddress(Register.queueDriver, rings)
        device.setAddress(Register.queueDevice, rings)
    }

    private func accesses() -> Int {
        var count = 0
        count += attack("configuration read beyond its end") { _ in
            for offset in stride(from: Register.configuration, to: 0x1000, by: 64) {
                _ = load8(device.base + offset)
                _ = load16(device.base + offset + 2)
                _ = load32(device.base + offset + 4)
                _ = load64(device.base + offset + 8)
            }
        }
        count += attack("configuration written") { _ in
            for offset in stride(from: Register.configuration, to: Register.configuration + 0x80, by: 8) {
                store8(device.base + offset, 0xFF)
                store16(device.base + offset + 2, 0xFFFF)
                store32(device.base + offset + 4, .max)
                store64(device.base + offset, .max)
            }
        }
        count += attack("registers read with other sizes and unaligned") { _ in
            for offset in stride(from: UInt(0), to: Register.configuration, by: 4) {
                _ = load8(device.base + offset)
                _ = load8(device.base + offset + 3)
                _ = load16(device.base + offset)
                _ = load32(device.base + offset + 1)
                _ = load64(device.base + offset)
            }
        }
        count += attack("registers written with other sizes and unaligned") { _ in
            for offset in stride(from: UInt(0), to: Register.configuration, by: 4) {
                store8(device.base + offset, 0xFF)
                store8(device.base + offset + 3, 0xFF)
                store16(device.base + offset, 0xFFFF)
                store32(device.base + offset + 2, .max)
                store64(device.base + offset, .max)
            }
        }
        count += attack("every register written with all ones") { _ in
            for offset in stride(from: UInt(0), to: Register.configuration, by: 4) { device[offset] = .max }
        }
        count += attack("access across the end of the slot") { _ in
            let end = device.base + UInt(Options.number("virtio.stride", default: 0x1000))
            _ = load32(end - 2)
            _ = load64(end - 1)
            store32(end - 2, .max)
        }
        count += attack("notifications of queues that are not there") { _ in
            forEach([1, 2, 0xFFFF, 0x10000, .max]) { (queue: UInt32) in device[Register.queueNotify] = queue }
        }
        return count
    }

    private func lifecycle() -> Int {
        var count = 0
        count += attack("notification before DRIVER_OK") { _ in
            device.reset()
            kick()
            _ = device.negotiate(Self.features)
            kick()
        }
        count += attack("DRIVER_OK before FEATURES_OK") { _ in
            device.reset()
            device[Register.status] = Status.acknowledge | Status.driver | Status.driverOK
            kick()
        }
        count += attack("DRIVER_OK without a queue") { _ in
            _ = device.negotiate(Self.features)
            device.setDriverOK()
            kick()
        }
        count += attack("every feature accepted") { _ in
            device.reset()
            device[Register.status] = Status.acknowledge | Status.driver
            device.accept(.max)
            device[Register.status] = Status.acknowledge | Status.driver | Status.featuresOK
            device.setDriverOK()
            kick()
        }
        count += attack("no feature accepted") { _ in
            device.reset()
            device[Register.status] = Status.acknowledge | Status.driver
            device.accept(0)
            device[Register.status] = Status.acknowledge | Status.driver | Status.featuresOK
            device.setDriverOK()
            kick()
        }
        count += attack("every status bit, then none of them but DRIVER_OK") { _ in
            device[Register.status] = 0xFF
            device[Register.status] = Status.driverOK
            device[Register.status] = Status.failed
            device[Register.status] = .max
            kick()
        }
        count += attack("interrupts acknowledged that never came") { _ in
            device[Register.interruptACK] = .max
            device[Register.interruptACK] = 0
        }
        count += attack("a thousand resets") { _ in
            for _ in 0..<1000 {
                device[Register.status] = 0
                device[Register.queueNotify] = 0
                device[Register.status] = Status.acknowledge
            }
        }
        for round in 0..<UInt64(16) {
            count += attack("reset with requests in flight") { queue in resetInFlight(&queue, delay: round * 20_000) }
        }
        return count
    }

    /// Once the reset has ended the device may touch neither rings nor buffers (2.1.2).
    private func resetInFlight(_ queue: inout Virtqueue, delay: UInt64) {
        let perRequest: UInt16 = isBlock ? 3 : 1
        let requests = queue.size / perRequest
        let bytes = UInt(4096)
        let buffers = Arena.take(UInt(requests) * bytes, alignment: 4096)
        let headers = Arena.take(UInt(requests) * 32)
        for request in 0..<requests {
            let first = request * perRequest
            let buffer = UInt64(buffers + UInt(request) * bytes)
            let header = UInt64(headers + UInt(request) * 32)
            if isBlock {
                queue.setDescriptor(first, address: header, length: 16, flags: Self.next, next: first + 1)
                queue.setDescriptor(
                    first + 1, address: buffer, length: UInt32(bytes), flags: Self.write | Self.next, next: first + 2)
                queue.setDescriptor(first + 2, address: header + 16, length: 1, flags: Self.write)
            } else {
                queue.setDescriptor(first, address: buffer, length: UInt32(bytes), flags: Self.write)
            }
            queue.add(head: first)
        }
        queue.notify()
        wait(cycles: delay)
        device.reset()
        let mark: UInt64 = 0x5A5A_A5A5_5A5A_A5A5
        let usedRing = queue.deviceArea
        let usedIndex = load16(usedRing + 2)
        for offset in stride(from: 0, to: UInt(requests) * bytes, by: 8) { store64(buffers + offset, mark) }
        wait(cycles: 5_000_000)
        for offset in stride(from: 0, to: UInt(requests) * bytes, by: 8) where load64(buffers + offset) != mark {
            fail("a buffer was written after the reset had ended")
        }
        if load16(usedRing + 2) != usedIndex { fail("the used ring was written after the reset had ended") }
    }
}
