// Drives two virtio-net devices whose networks are joined on the host, by polling: what goes out by the first comes in by the
// second. net.mode=verify|bench.

let payloadName: StaticString = "net"

let headerBytes: UInt32 = 12
let receiveBytes: UInt32 = 2048
/// An EtherType for experiments (IEEE 802).
let etherType: UInt16 = 0xB588

func payload() {
    let first = network(0)
    let second = network(1)
    if Options.word("net.mode", is: "bench") { bench(first, second) } else { verify(first, second) }
}

/// The network device behind `number` others.
func network(_ number: UInt64) -> VirtioDevice {
    let base = Options.number("virtio.base", default: 0xD000_0000)
    let stride = Options.number("virtio.stride", default: 0x1000)
    var left = number
    for slot in 0..<Options.number("virtio.slots", default: 18) {
        let device = VirtioDevice(base: UInt(base + slot * stride), slot: UInt(slot))
        if device[VirtioDevice.Register.magic] != VirtioDevice.magicValue { continue }
        if device[VirtioDevice.Register.deviceID] != VirtioDevice.Kind.network { continue }
        if left == 0 { return device }
        left -= 1
    }
    fail("no network device \(number)")
}

/// Both queues of a device, with a buffer for each descriptor.
struct Interface {
    var receive: Virtqueue
    var transmit: Virtqueue
    let features: UInt64
    private let receiveBuffers: UInt
    private let transmitBuffers: UInt

    init(_ device: VirtioDevice, wanted: UInt64) {
        features = device.negotiate(wanted)
        receive = Virtqueue(device, index: 0, features: features)
        transmit = Virtqueue(device, index: 1, features: features)
        receiveBuffers = Arena.take(UInt(receive.size) * UInt(receiveBytes), alignment: 4096)
        transmitBuffers = Arena.take(UInt(transmit.size) * UInt(receiveBytes), alignment: 4096)
        device.setDriverOK()
        for slot in 0..<receive.size { offer(slot) }
        receive.notify()
    }

    func received(_ slot: UInt16) -> UInt { receiveBuffers + UInt(slot) * UInt(receiveBytes) }
    func sent(_ slot: UInt16) -> UInt { transmitBuffers + UInt(slot) * UInt(receiveBytes) }

    /// Gives a receive buffer to the device, or gives it back.
    mutating func offer(_ slot: UInt16) {
        receive.setDescriptor(slot, address: UInt64(received(slot)), length: receiveBytes, flags: Virtqueue.Descriptor.write)
        receive.add(head: slot)
    }

    /// Adds a frame of so many bytes, which lies behind the header in its slot.
    mutating func send(_ slot: UInt16, length: UInt32) {
        transmit.setDescriptor(slot, address: UInt64(sent(slot)), length: headerBytes + length, flags: 0)
        transmit.add(head: slot)
    }

    /// Writes a frame with a number in it into a slot.
    func fill(_ slot: UInt16, number: UInt64, length: UInt32) {
        let frame = sent(slot) + UInt(headerBytes)
        store32(frame, 0x0200_0002)
        store16(frame + 4, 0x0002)
        store32(frame + 6, 0x0000_0002)
        store16(frame + 10, 0x0001)
        store16(frame + 12, etherType)
        store64(frame + 16, number)
        for offset in stride(from: 24, to: UInt(length), by: 4) where offset + 4 <= UInt(length) {
            store32(frame + offset, UInt32(truncatingIfNeeded: number &* 0x9E37_79B9 &+ UInt64(offset)))
        }
    }

    /// The number in a received frame of ours, whose contents are right; nil: another's.
    func check(_ slot: UInt16, _ length: UInt32) -> UInt64? {
        let frame = received(slot) + UInt(headerBytes)
        if length < headerBytes + 24 || load16(frame + 12) != etherType { return nil }
        let number = load64(frame + 16)
        for offset in stride(from: 24, to: UInt(length - headerBytes), by: 4) where offset + 4 <= UInt(length - headerBytes) {
            if load32(frame + offset) != UInt32(truncatingIfNeeded: number &* 0x9E37_79B9 &+ UInt64(offset)) {
                fail("frame \(number): wrong at byte \(UInt64(offset))")
            }
        }
        let buffers = load16(received(slot) + 10)
        if buffers != 1 { fail("frame \(number): num_buffers is \(UInt64(buffers))") }
        return number
    }
}

/// Frames of every length, both ways, in order, without and with EVENT_IDX and mergeable buffers.
func verify(_ first: VirtioDevice, _ second: VirtioDevice) {
    var frames: UInt64 = 0
    for round in 0..<UInt64(4) {
        Arena.takeBackAll()
        let wanted = (round & 1 == 0 ? 0 : VirtioDevice.Feature.eventIndex) | (round & 2 == 0 ? 0 : VirtioDevice.Feature.mergeable)
        var one = Interface(first, wanted: wanted)
        var two = Interface(second, wanted: wanted)
        for number in 0..<UInt64(700) {
            let length = UInt32(60 + number * 2)
            if number & 1 == 0 { exchange(&one, &two, number, length) } else { exchange(&two, &one, number, length) }
            frames += 1
        }
        report("round \(round) features=\(hex: one.features)")
    }
    report("ok frames=\(frames)")
}

func exchange(_ from: inout Interface, _ to: inout Interface, _ number: UInt64, _ length: UInt32) {
    let slot = UInt16(number % 64)
    from.fill(slot, number: number, length: length)
    from.send(slot, length: length)
    from.transmit.notify()
    _ = from.transmit.wait("transmit")
    while true {
        let done = to.receive.wait("receive")
        let found = to.check(done.head, done.length)
        to.offer(done.head)
        to.receive.notify()
        if found == nil { continue }
        if found! != number || done.length != headerBytes + length { fail("frame \(number): found \(found!) of \(done.length) bytes") }
        return
    }
}

/// Small frames from the first device to the second, at most net.window of them on their way.
func bench(_ first: VirtioDevice, _ second: VirtioDevice) {
    let count = Options.number("net.count", default: 500_000)
    let window = Options.number("net.window", default: 128)
    let length = UInt32(Options.number("net.bytes", default: 60))
    let wanted = VirtioDevice.Feature.eventIndex | VirtioDevice.Feature.mergeable
    var one = Interface(first, wanted: wanted)
    var two = Interface(second, wanted: wanted)
    let slots = UInt64(one.transmit.size)
    for slot in 0..<one.transmit.size { one.fill(slot, number: 0, length: length) }
    var (sent, completed, received, lost): (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let start = timestamp()
    var last = start
    while received + lost < count {
        var news = false
        while one.transmit.next() != nil { completed += 1 }
        // Used in order, as devices do: the slot of frame n is free when n frames less a ring have been used.
        while sent < count && sent - received - lost < window && sent - completed < slots {
            one.send(UInt16(sent % slots), length: length)
            sent += 1
            news = true
        }
        if news { one.transmit.notify() }
        news = false
        while let done = two.receive.next() {
            if load16(two.received(done.head) + UInt(headerBytes) + 12) == etherType { received += 1 }
            two.offer(done.head)
            news = true
        }
        if news {
            two.receive.notify()
            last = timestamp()
            // Some of them were only late, as on a busy host.
            if received + lost > sent { lost = sent - received }
        } else if timestamp() - last > 400_000_000 {
            // Dropped on the host.
            lost = sent - received
            last = timestamp()
        }
    }
    let cycles = timestamp() - start
    report("bench frames=\(received) lost=\(lost) bytes=\(UInt64(length)) cycles=\(cycles)")
    report("ok bench")
}
