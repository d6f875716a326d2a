import AgentCore
import AgentProtocol

/// mount(2), with an error that says what was to be mounted where.
func mountFileSystem(
    _ type: String, _ source: String, on target: String, _ flags: Int32 = 0, _ options: String = "", as name: String? = nil
) throws(AgentFailure) {
    guard mount(source, target, type, UInt(flags), options) == 0 else {
        throw AgentFailure(.failed, "mount of \(type) \(source) on \(name ?? target) (\(options)): \(Errno.current.text)")
    }
}

/// Makes what is at `source` seen at `target` too, with what is mounted below it.
func bind(_ source: String, on target: String, as name: String? = nil) throws(AgentFailure) {
    guard mount(source, target, nil, UInt(MS_BIND), nil) == 0 else {
        throw AgentFailure(.failed, "mount of \(source) on \(name ?? target): \(Errno.current.text)")
    }
}

/// Changes the flags of one mount, and of nothing else that shows the same file system; those that it has stay.
func remount(_ target: String, _ flags: Int32) throws(AgentFailure) {
    let file = agent_open(target, AGENT_O_PATH, 0)
    // ST_RDONLY, ST_NOSUID, ST_NODEV and ST_NOEXEC are the same bits as MS_*.
    let present = file < 0 ? 0 : UInt(agent_mount_flags(file)) & 15
    if file >= 0 { close(file) }
    guard mount(nil, target, nil, UInt(MS_BIND | MS_REMOUNT | flags) | present, nil) == 0 else {
        throw AgentFailure(.failed, "mount flags of \(target): \(Errno.current.text)")
    }
}

/// Makes a directory of the agent's own.
func makeDirectory(_ path: String, _ mode: UInt32 = 0o755) {
    mkdir(path, mode)
}

/// The device of the disk with a serial number.
func disk(_ serial: String) throws(AgentFailure) -> String {
    for name in names(in: "/sys/block") where line("/sys/block/\(text(name))/serial") == Array(serial.utf8) {
        waitForContents(name)
        return "/dev/\(text(name))"
    }
    throw AgentFailure(.failed, "there is no disk with the serial number \(serial)")
}

/// A disk that was a placeholder a moment ago gets its size when the kernel comes to it: within ten seconds, or what follows says that there
/// is nothing.
private func waitForContents(_ name: [UInt8]) {
    for _ in 0..<10_000 {
        guard line("/sys/block/\(text(name))/size") == [UInt8(ascii: "0")] else { return }
        agent_sleep(1_000_000)
    }
}

/// The type of the file system on a disk, by the magic numbers of those that images come in; ext4 when it is none of them.
func fileSystemType(_ device: String) -> String {
    let start = contents(device, limit: 4096) ?? []
    func isAt(_ offset: Int, _ magic: [UInt8]) -> Bool { start.count >= offset + magic.count && start[offset...].starts(with: magic) }
    if isAt(1024, [0xe2, 0xe1, 0xf5, 0xe0]) { return "erofs" }
    if isAt(0, [0x68, 0x73, 0x71, 0x73]) { return "squashfs" }
    return "ext4"
}
