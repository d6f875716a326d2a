/// `bench9p`: mounts the share with the tag `bench` without any cache, works in its directory and times that:
/// `test.files=` are made, looked at and removed; `test.mib=` are written and read in requests of 1 MiB; `test.reads=` of
/// 4 KiB are read at random places of that file; all of that `test.rounds=` times.
func measureShare(_ options: Options) throws(Failure) {
    let root = "/mnt"
    mkdir(root, 0o755)
    guard mount("bench", root, "9p", 0, "trans=virtio,version=9p2000.L,msize=524288,cache=none") == 0 else {
        throw Failure("mount of the share", .current)
    }
    // What client and server have agreed on.
    for line in (contents("/proc/mounts") ?? []).split(separator: UInt8(ascii: "\n")) where line.starts(with: "bench ".utf8) {
        say("mount \(text(line))")
    }
    // The first requests pay for caches that fill.
    try makeAndRemove(root, count: 10, measure: false)
    for _ in 0..<options.number("rounds", default: 1) {
        try makeAndRemove(root, count: options.number("files", default: 1000), measure: true)
        try transfer(root + "/data", options)
    }
    guard umount(root) == 0 else { throw Failure("umount", .current) }
}

private func makeAndRemove(_ root: String, count: Int, measure isMeasured: Bool) throws(Failure) {
    var paths: [String] = []
    for number in 0..<count { paths.append("\(root)/file-\(number)") }
    func phase(_ name: String, _ body: (String) throws(Failure) -> Void) throws(Failure) {
        func all() throws(Failure) {
            for path in paths { try body(path) }
        }
        if isMeasured { try measure(name, count: count, all) } else { try all() }
    }
    try phase("create") { (path) throws(Failure) in
        do throws(Errno) {
            close(try open(path, O_WRONLY | O_CREAT | O_EXCL))
        } catch {
            throw Failure("create \(path)", error)
        }
    }
    try phase("stat") { (path) throws(Failure) in
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure("stat \(path)", .current) }
    }
    try phase("unlink") { (path) throws(Failure) in
        guard unlink(path) == 0 else { throw Failure("unlink \(path)", .current) }
    }
}

private func transfer(_ path: String, _ options: Options) throws(Failure) {
    let mebibytes = options.number("mib", default: 64)
    let reads = options.number("reads", default: 2000)
    let buffer = try transferBuffer(1 << 20)
    let start = buffer.baseAddress!
    let file: Int32
    do throws(Errno) {
        file = try open(path, O_RDWR | O_CREAT | O_EXCL)
    } catch {
        throw Failure("create \(path)", error)
    }
    defer {
        close(file)
        unlink(path)
    }
    // Only the second time counts: the first time the host has to find memory for the file.
    for isMeasured in [false, true] {
        func write() throws(Failure) {
            for index in 0..<mebibytes {
                guard pwrite(file, start, buffer.count, off_t(index << 20)) == buffer.count else {
                    throw Failure("write of MiB \(index)", .current)
                }
            }
        }
        if isMeasured { try measure("write", count: mebibytes << 20, write) } else { try write() }
    }
    try measure("read", count: mebibytes << 20) { () throws(Failure) in
        for index in 0..<mebibytes {
            guard pread(file, start, buffer.count, off_t(index << 20)) == buffer.count else {
                throw Failure("read of MiB \(index)", .current)
            }
        }
    }
    var random = Random(state: 9)
    try measure("random", count: reads) { () throws(Failure) in
        for number in 0..<reads {
            let offset = off_t(random.next() % UInt64(mebibytes << 8)) << 12
            guard pread(file, start, 4096, offset) == 4096 else { throw Failure("random read \(number)", .current) }
        }
    }
}
