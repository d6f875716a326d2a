/// `memory`: writes to `test.mib=` MiB, says `touched`, waits for a line, frees them, says `freed`, waits for another line.
func useMemory(_ options: Options) throws(Failure) {
    let size = options.number("mib", default: 64) << 20
    guard let start = guest_map(size) else { throw Failure("mmap", .current) }
    for offset in stride(from: 0, to: size, by: Pattern.blockSize) {
        start.storeBytes(of: 0x5A, toByteOffset: offset, as: UInt8.self)
    }
    say("touched \(size >> 20)")
    try waitForLine()
    munmap(start, size)
    say("freed")
    try waitForLine()
}

/// `cache`: reads `test.mib=` MiB of the disk through the page cache, and leaves the disk open: the last one to close it would
/// empty the cache.
func fillCache(_ options: Options) throws(Failure) {
    let size = options.number("mib", default: 64) << 20
    let name = options.value("disk") ?? "vda"
    do throws(Errno) {
        let file = try open("/dev/" + name, O_RDONLY)
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var done = 0
        while done < size {
            let count = read(file, &chunk, chunk.count)
            guard count > 0 else { throw .current }
            done += count
        }
    } catch {
        throw Failure("read of \(name)", error)
    }
}

private func waitForLine() throws(Failure) {
    var byte: UInt8 = 0
    while byte != UInt8(ascii: "\n") {
        guard read(0, &byte, 1) == 1 else { throw Failure("read of the console", .current) }
    }
}
