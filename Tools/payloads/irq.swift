// Takes the completions of virtio-rng or virtio-blk as interrupts through the IOAPIC, at CPL 3.

let payloadName: StaticString = "irq"
let vector: UInt8 = 0x40

func payload() {
    let (device, isEntropy) = findDevice()
    let count = UInt32(truncatingIfNeeded: Options.number("irq.count", default: 100))
    let gsi = UInt32(truncatingIfNeeded: Options.number("irq.gsi", default: Slots.gsi(device.slot)))
    InterruptController.enable()
    InterruptController.route(gsi: gsi, vector: vector)
    for withEventIndex in 0..<UInt64(2) {
        Arena.takeBackAll()
        let features = device.negotiate(withEventIndex == 1 ? VirtioDevice.Feature.eventIndex : 0)
        var wanted = Virtqueue(device, features: features, interrupts: .wanted)
        device.setDriverOK()
        let before = InterruptController.count(vector)
        for number in 1...count {
            submit(&wanted, isEntropy)
            // the interrupt first: a used_event moved on at once could reach the device before it decides
            var deadline = Deadline()
            while InterruptController.count(vector) &- before < number {
                if deadline.passed { fail("no interrupt \(number) on gsi \(gsi), features \(hex: features)") }
            }
            if wanted.next() == nil { fail("interrupt \(number) before its used ring entry") }
            acknowledge(device)
        }
        expect(before &+ count, orOneMore: false, "more interrupts than completions")

        device.reset()
        var suppressed = Virtqueue(device, features: device.negotiate(features), interrupts: .suppressed)
        device.setDriverOK()
        for _ in 0..<count {
            submit(&suppressed, isEntropy)
            _ = suppressed.wait("request without interrupt")
        }
        // one is allowed at the start of a queue: used_event binds the device by SHOULD NOT only (2.7.10.1)
        expect(before &+ count, orOneMore: true, "interrupts that were suppressed")
    }
    report("ok gsi=\(gsi) interrupts=\(InterruptController.count(vector))")
}

func findDevice() -> (VirtioDevice, isEntropy: Bool) {
    if let device = VirtioDevice.find(VirtioDevice.Kind.entropy) { return (device, true) }
    return (VirtioDevice.require(VirtioDevice.Kind.block), false)
}

func acknowledge(_ device: VirtioDevice) {
    let status = device[VirtioDevice.Register.interruptStatus]
    if status & 1 == 0 { fail("interrupt without InterruptStatus, \(hex: status)") }
    device[VirtioDevice.Register.interruptACK] = status
    let rest = device[VirtioDevice.Register.interruptStatus]
    if rest != 0 { fail("InterruptStatus is \(hex: rest) after InterruptACK") }
}

func expect(_ interrupts: UInt32, orOneMore: Bool, _ otherwise: StaticString) {
    wait(cycles: 20_000_000)
    let count = InterruptController.count(vector)
    if count != interrupts && !(orOneMore && count == interrupts &+ 1) {
        fail("\(otherwise): \(count), expected \(interrupts)")
    }
}

func submit(_ queue: inout Virtqueue, _ isEntropy: Bool) {
    let write = Virtqueue.Descriptor.write
    let next = Virtqueue.Descriptor.next
    let buffer = UInt64(Scratch.address)
    if isEntropy {
        queue.setDescriptor(0, address: buffer, length: 64, flags: write)
    } else {
        // a read of sector 0
        queue.setDescriptor(0, address: buffer, length: 16, flags: next, next: 1)
        queue.setDescriptor(1, address: buffer + 512, length: 512, flags: next | write, next: 2)
        queue.setDescriptor(2, address: buffer + 1024, length: 1, flags: write)
    }
    queue.add(head: 0)
    queue.notify()
}

enum Scratch {
    /// Not from the arena's running part: a page at its end, zero since the start.
    static var address: UInt { arenaEnd() - 4096 }
}

/// svmm's interrupt lines, in slot order.
enum Slots {
    static func gsi(_ slot: UInt) -> UInt64 {
        let lines: InlineArray<18, UInt64> = [5, 6, 7, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 3, 13]
        return slot < 18 ? lines[Int(slot)] : 0
    }
}
