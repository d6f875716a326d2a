/// Says what the guest finds: processors, memory, clocks, devices, and the kernel's complaints.
func printFacts() throws(Failure) {
    printProcessors()
    printMemory()
    say("clocksource " + line("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    say("rtc \(number("/sys/class/rtc/rtc0/since_epoch"))")
    for name in names(in: "/sys/bus/virtio/devices") {
        let path = "/sys/bus/virtio/devices/\(name)"
        let parent = target(ofLink: path).utf8.split(separator: UInt8(ascii: "/")).dropLast().last
        let driver = target(ofLink: path + "/driver").utf8.split(separator: UInt8(ascii: "/")).last
        say("virtio \(name) driver=\(driver.map { text(Array($0)[...]) } ?? "none") "
            + "parent=\(parent.map { text(Array($0)[...]) } ?? "none")")
    }
    for name in names(in: "/sys/block") where name.utf8.starts(with: "vd".utf8) {
        let path = "/sys/block/\(name)"
        say("disk \(name) sectors=\(line(path + "/size")) ro=\(line(path + "/ro")) serial=\(line(path + "/serial"))")
    }
    printInterrupts()
    printKernelWarnings()
    try printRandomSource()
}

private func printProcessors() {
    var cpus: [Int] = []
    for name in names(in: "/sys/devices/system/cpu") {
        let digits = name.utf8.dropFirst(3)
        guard name.utf8.starts(with: "cpu".utf8), let id = Int(text(Array(digits)[...])) else { continue }
        // The first processor has no such file where it cannot be taken away.
        if line("/sys/devices/system/cpu/\(name)/online") != "0" { cpus.append(id) }
    }
    var packages: [Int] = [], cores: [Int] = []
    for cpu in cpus {
        let path = "/sys/devices/system/cpu/cpu\(cpu)/topology"
        let package = number(path + "/physical_package_id")
        let core = package << 16 | number(path + "/core_id")
        if !packages.contains(package) { packages.append(package) }
        if !cores.contains(core) { cores.append(core) }
    }
    say("cpus \(cpus.count)")
    if packages.isEmpty { return say("topology unknown") }
    say("topology packages=\(packages.count) cores=\(cores.count / packages.count) threads=\(cpus.count / max(cores.count, 1))")
}

private func printMemory() {
    let total = line("/proc/meminfo").utf8.split(separator: UInt8(ascii: " ")).dropFirst().first
    say("memory \(total.map { text(Array($0)[...]) } ?? "unknown")")
}

/// The lines of /proc/interrupts that name svmm's devices, and the local timer's: single spaces.
private func printInterrupts() {
    let wanted = ["virtio", "ttyS0", "acpi", "rtc0", "LOC:"]
    for line in (contents("/proc/interrupts") ?? []).split(separator: UInt8(ascii: "\n")) {
        var squeezed: [UInt8] = []
        for word in line.split(separator: UInt8(ascii: " ")) { squeezed += Array(word) + [UInt8(ascii: " ")] }
        if wanted.contains(where: { contains(squeezed, $0) }) { say("irq \(text(squeezed.dropLast()))") }
    }
}

func contains(_ bytes: [UInt8], _ word: String) -> Bool {
    let word = Array(word.utf8)
    guard bytes.count >= word.count else { return false }
    return (0...(bytes.count - word.count)).contains { bytes[$0...].starts(with: word) }
}

/// What the kernel has logged as warning or worse. The format is that of Documentation/ABI/testing/dev-kmsg.
func printKernelWarnings() {
    guard let file = try? open("/dev/kmsg", O_RDONLY | O_NONBLOCK) else { return say("kmsg 0 unreadable") }
    defer { close(file) }
    var record = [UInt8](repeating: 0, count: 8192)
    while true {
        let count = read(file, &record, record.count)
        if count <= 0 {
            // A record that was overwritten before it was read.
            if count < 0, guest_errno() == EPIPE { continue }
            return
        }
        let fields = record[..<count].split(separator: UInt8(ascii: ";"), maxSplits: 1)
        guard fields.count == 2, let priority = Int(text(fields[0].prefix { $0 != UInt8(ascii: ",") })) else { continue }
        // The first line; facility 0 is the kernel itself.
        if priority < 8, priority & 7 <= 4 { say("kmsg \(priority & 7) \(text(fields[1].prefix { $0 != UInt8(ascii: "\n") }))") }
    }
}

private func printRandomSource() throws(Failure) {
    var bytes = [UInt8](repeating: 0, count: 64)
    do throws(Errno) {
        let file = try open("/dev/hwrng", O_RDONLY)
        defer { close(file) }
        guard read(file, &bytes, bytes.count) == bytes.count else { throw .current }
    } catch {
        throw Failure("hwrng", error)
    }
    guard bytes.contains(where: { $0 != bytes[0] }) else { throw Failure("hwrng gives always the same byte") }
    say("hwrng " + line("/sys/class/misc/hw_random/rng_current"))
}
