/// The driver's side of a virtio-blk device (virtio 1.2, 5.2): fixed request slots, any number in flight.
struct BlockQueue {
    enum Request {
        static let read: UInt32 = 0
        static let write: UInt32 = 1
        static let flush: UInt32 = 4
        static let getID: UInt32 = 8
        static let undefined: UInt32 = 0x7777
    }

    enum Result {
        static let ok: UInt8 = 0
        static let ioError: UInt8 = 1
        static let unsupported: UInt8 = 2
        static let none: UInt8 = 0xFF
    }

    /// How a request's bytes are spread over descriptors; a device may not care (2.7.4).
    struct Framing {
        /// Descriptors for the data.
        var segments: UInt32 = 1
        /// Header in two descriptors, status in the last data descriptor where that is writable.
        var isOdd = false
    }

    static let sectorSize: UInt32 = 512
    static let dataBytes: UInt32 = 8192
    private static let descriptorsPerSlot: UInt16 = 8
    private static let headerBytes: UInt = 16

    let device: VirtioDevice
    let features: UInt64
    let capacity: UInt64
    let depth: UInt16
    let usesIndirect: Bool
    var queue: Virtqueue
    private let slots: UInt
    private let tables: UInt

    private static let slotBytes = headerBytes + UInt(dataBytes) + 16

    init(_ device: VirtioDevice, wanted: UInt64, depth wantedDepth: UInt64, indirect: Bool) {
        self.device = device
        features = device.negotiate(wanted)
        usesIndirect = indirect && features & VirtioDevice.Feature.indirectDescriptors != 0
        queue = Virtqueue(device, features: features)
        let most = usesIndirect ? queue.size : queue.size / Self.descriptorsPerSlot
        depth = UInt16(max(1, min(wantedDepth, UInt64(most))))
        slots = Arena.take(UInt(depth) * Self.slotBytes, alignment: 4096)
        tables = Arena.take(UInt(depth) * UInt(Self.descriptorsPerSlot) * Virtqueue.Descriptor.bytes, alignment: 16)
        capacity =
            UInt64(device[VirtioDevice.Register.configuration])
            | UInt64(device[VirtioDevice.Register.configuration + 4]) << 32
        device.setDriverOK()
        if device[VirtioDevice.Register.status] & VirtioDevice.Status.needsReset != 0 {
            fail("DEVICE_NEEDS_RESET at once")
        }
    }

    func header(_ slot: UInt16) -> UInt { slots + UInt(slot) * Self.slotBytes }
    func data(_ slot: UInt16) -> UInt { header(slot) + Self.headerBytes }
    /// Behind the data, so that data and status can share a descriptor.
    private func status(_ slot: UInt16, _ length: UInt32) -> UInt { data(slot) + UInt(length) }

    /// Adds a request to the ring; `notify` shows it to the device.
    mutating func submit(
        _ slot: UInt16, _ type: UInt32, sector: UInt64, length: UInt32, framing: Framing = Framing()
    ) {
        store32(header(slot), type)
        store32(header(slot) + 4, 0)
        store64(header(slot) + 8, sector)
        store8(status(slot, length), Result.none)

        let isRead = type == Request.read || type == Request.getID
        let first = usesIndirect ? 0 : slot * Self.descriptorsPerSlot
        let table = usesIndirect ? tables + UInt(slot) * UInt(Self.descriptorsPerSlot) * 16 : queue.descriptors
        var number = first
        func put(_ address: UInt, _ bytes: UInt32, _ flags: UInt16, last: Bool = false) {
            Virtqueue.writeDescriptor(
                table + UInt(number) * 16, address: UInt64(address), length: bytes,
                flags: last ? flags : flags | Virtqueue.Descriptor.next, next: last ? 0 : number + 1)
            number += 1
        }

        if framing.isOdd {
            put(header(slot), 5, 0)
            put(header(slot) + 5, 11, 0)
        } else {
            put(header(slot), UInt32(Self.headerBytes), 0)
        }
        let flags = isRead ? Virtqueue.Descriptor.write : 0
        let sharesStatus = framing.isOdd && isRead && length > 0
        var done: UInt32 = 0
        for segment in 0..<framing.segments where done < length {
            let rest = length - done
            let isLast = segment == framing.segments - 1
            // unequal parts, not multiples of the sector size
            let part = isLast ? rest : min(rest, length / framing.segments + segment * 7 + 1)
            let end = isLast || part == rest
            put(data(slot) + UInt(done), end && sharesStatus ? part + 1 : part, flags, last: end && sharesStatus)
            done += part
        }
        if !sharesStatus { put(status(slot, length), 1, Virtqueue.Descriptor.write, last: true) }

        if usesIndirect {
            queue.setDescriptor(
                slot, address: UInt64(table), length: UInt32(number) * 16, flags: Virtqueue.Descriptor.indirect)
            queue.add(head: slot)
        } else {
            queue.add(head: first)
        }
    }

    /// The slot of a finished request, and the number of bytes the device says it wrote.
    func slot(_ completion: Virtqueue.Completion) -> UInt16 {
        usesIndirect ? completion.head : completion.head / Self.descriptorsPerSlot
    }

    func result(_ slot: UInt16, length: UInt32) -> UInt8 { load8(status(slot, length)) }

    /// One request, from start to end.
    mutating func run(_ type: UInt32, sector: UInt64, length: UInt32, _ what: StaticString) -> UInt8 {
        submit(0, type, sector: sector, length: length)
        queue.notify()
        _ = queue.wait(what)
        return result(0, length: length)
    }

    mutating func expect(_ expected: UInt8, _ type: UInt32, sector: UInt64, length: UInt32, _ what: StaticString) {
        let result = run(type, sector: sector, length: length, what)
        if result != expected { fail("\(what): status \(result), expected \(expected)") }
    }
}
