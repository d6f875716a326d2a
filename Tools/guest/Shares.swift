/// Mounts what `test.share=TAG:/path[:options]` names, each by 9P over virtio.
func mountShares(_ options: Options) {
    for word in options.values("share") {
        let parts = word.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 2).map { text(Array($0)[...]) }
        guard parts.count >= 2 else {
            say("FAIL share \(word): expected TAG:/path")
            continue
        }
        var settings = "trans=virtio,version=9p2000.L,msize=512000"
        if parts.count > 2 { settings += "," + parts[2] }
        mkdir(parts[1], 0o755)
        guard mount(parts[0], parts[1], "9p", 0, settings) == 0 else {
            say("FAIL share \(word) errno=\(guest_errno())")
            continue
        }
    }
}

/// `exec`: runs `test.exec=/program,argument,argument`, says each line it prints behind `| `, then `exit STATUS`.
///
/// With `test.chroot=/path`, a share of a whole root directory, the program sees that as its root, with file systems of the
/// kernel's and an empty /tmp in it, and on /mnt what `test.bind=/path` names.
func runProgram(_ options: Options) throws(Failure) {
    guard let words = options.value("exec") else { throw Failure("no test.exec= on the command line") }
    let arguments = words.utf8.split(separator: UInt8(ascii: ",")).map { text(Array($0)[...]) }
    let root = options.value("chroot")
    if let root { try furnish(root, options.value("bind")) }
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure("pipe", .current) }
    var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { $0.withCString { strdup($0) } }
    vector.append(nil)
    let child = guest_start(root ?? "/", vector, ends[1])
    guard child > 0 else { throw Failure("fork", .current) }
    close(ends[1])
    relayLines(from: ends[0])
    close(ends[0])
    var status: Int32 = 0
    guard waitpid(child, &status, 0) == child else { throw Failure("waitpid", .current) }
    say("exit \(guest_exit_status(status))")
}

private func furnish(_ root: String, _ bound: String?) throws(Failure) {
    for (type, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp")] {
        guard mount(type, root + place, type, 0, nil) == 0 else { throw Failure("mount of \(root)\(place)", .current) }
    }
    guard let bound else { return }
    guard mount(bound, root + "/mnt", nil, UInt(MS_BIND | MS_REC), nil) == 0 else {
        throw Failure("mount of \(bound) on \(root)/mnt", .current)
    }
}

private func relayLines(from file: Int32) {
    var pending: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(file, &chunk, chunk.count)
        if count <= 0 { break }
        pending += chunk[..<count]
        while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
            say("| \(text(pending[..<end]))")
            pending.removeSubrange(...end)
        }
    }
    if !pending.isEmpty { say("| \(text(pending[...]))") }
}
