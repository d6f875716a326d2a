// Times the ways out of the guest and back, from CPL 3.

let payloadName: StaticString = "exits"

func payload() {
    let count = Options.number("exits.count", default: 100_000)
    let mmio = UInt(Options.number("virtio.base", default: 0xD000_0000)) + VirtioDevice.Register.magic

    measure("empty", Options.number("exits.empty", default: count)) { cpuPause() }
    measure("pio", Options.number("exits.pio", default: count)) { _ = in8(Serial.scratch) }
    measure("mmio", Options.number("exits.mmio", default: count)) { _ = load32(mmio) }

    // a notification of an empty ring: the device has nothing to do, the exit is all there is
    if let device = VirtioDevice.find(VirtioDevice.Kind.entropy) {
        let features = device.negotiate(0)
        _ = Virtqueue(device, features: features)
        device.setDriverOK()
        let notify = device.base + VirtioDevice.Register.queueNotify
        measure("ioeventfd", Options.number("exits.ioeventfd", default: count)) { store32(notify, 0) }
        device.reset()
    } else {
        report("ioeventfd skipped: no virtio-rng device")
    }
    report("ok")
}

@inline(__always)
func measure(_ kind: StaticString, _ count: UInt64, _ body: () -> Void) {
    if count == 0 { return }
    for _ in 0..<min(count, 100) { body() }
    let start = timestamp()
    for _ in 0..<count { body() }
    let cycles = timestamp() - start
    report("\(kind) count=\(count) cycles=\(cycles) each=\(cycles / count)")
}
