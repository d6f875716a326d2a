private let keyEvent: UInt16 = 1  // EV_KEY
private let powerKey: UInt16 = 116  // KEY_POWER

/// The input devices, one of which is the power button.
struct PowerButton {
    private var files: [pollfd] = []

    init() throws(Failure) {
        for name in names(in: "/dev/input") where name.utf8.starts(with: "event".utf8) {
            if let file = try? open("/dev/input/" + name, O_RDONLY) {
                files.append(pollfd(fd: file, events: Int16(POLLIN), revents: 0))
            }
        }
        guard !files.isEmpty else { throw Failure("there is no input device") }
    }

    /// Waits until it is pressed, so many milliseconds at the most; -1: for ever.
    mutating func isPressed(within milliseconds: Int32) throws(Failure) -> Bool {
        let count = poll(&files, nfds_t(files.count), milliseconds)
        guard count >= 0 else { throw Failure("poll", .current) }
        for entry in files where entry.revents != 0 {
            var event = guest_input_event()
            let size = MemoryLayout<guest_input_event>.size
            guard read(entry.fd, &event, size) == size else { throw Failure("read of an input event", .current) }
            if event.type == keyEvent, event.code == powerKey, event.value == 1 { return true }
        }
        return false
    }
}

/// `button`: waits for the power button.
func waitForButton() throws(Failure) {
    var button = try PowerButton()
    say("ready")
    while try !button.isPressed(within: -1) {}
    say("button")
}

/// `panic`: the kernel's own trigger for tests.
func panic() throws(Failure) {
    tcdrain(1)
    do throws(Errno) {
        let file = try open("/proc/sysrq-trigger", O_WRONLY)
        guard write(file, "c", 1) == 1 else { throw .current }
    } catch {
        throw Failure("sysrq-trigger", error)
    }
}

/// `exit`: ends the first process, which the kernel answers with a panic.
func endProcess() -> Never {
    tcdrain(1)
    _exit(0)
}
