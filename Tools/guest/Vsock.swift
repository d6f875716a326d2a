/// `vsock`: one end of connections between guest and host, which does what the lines of standard input say, and answers each
/// with one line, `#NUMBER …`. Outside the guest this program is the other end.
///
/// Connections that have been made are held, in order, until they are closed; `send` and what is like it use the first.
func talkVsock() throws(Failure) {
    // A connection whose peer is gone is an error to report.
    guest_ignore_broken_pipes()
    guest_raise_descriptor_limit(32768)
    let end = VsockEnd()
    try answerLines { end.answer($0) }
}

private final class VsockEnd {
    private var listener: Int32 = -1
    private var held: [Int32] = []
    private var child: pid_t = 0
    private var outgoing = SeededStream(seed: 0)
    private var incoming = SeededStream(seed: 0)
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)

    func answer(_ words: [String]) -> String {
        do throws(Failure) {
            return try perform(words.first ?? "", Array(words.dropFirst()))
        } catch {
            return "FAIL \(error.reason)"
        }
    }

    /// `words` are the command's.
    private func perform(_ name: String, _ words: [String]) throws(Failure) -> String {
        func word(_ index: Int) -> String { index < words.count ? words[index] : "" }
        func number(_ index: Int) -> Int { Int(word(index)) ?? 0 }
        switch name {
        case "listen":
            if listener >= 0 { close(listener) }
            listener = try listen(word(0))
        case "unlisten":
            close(listener)
            listener = -1
        case "open": try open(number(0), word(1))
        case "accept": try accept(number(0))
        case "ping": try ping()
        case "pong": try pong()
        case "close":
            for file in held { close(file) }
            held = []
        case "ended": return try awaitEnds()
        case "seeds":
            outgoing = SeededStream(seed: number(0))
            incoming = SeededStream(seed: number(1))
        case "send": return try send(number(0))
        case "shut": shutdown(try first(), Int32(SHUT_WR))
        case "read": return try receive(limit: number(0))
        case "receive": return try receive(limit: .max)
        case "exchange": return try exchange(number(0))
        case "echo": return try echo()
        case "flood": try startFlood(word(0), seed: number(1))
        case "kill":
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        case "count": return "files=\(names(in: "/proc/self/fd").count) sockets=\(socketCount())"
        case "cid": return "cid=\(guest_vsock_cid())"
        case "run": return "status=\(run(words))"
        case "reboot": end(RB_AUTOBOOT)
        default: throw Failure("no such command")
        }
        return "ok"
    }

    private func first() throws(Failure) -> Int32 {
        guard let file = held.first else { throw Failure("no connection") }
        return file
    }

    // MARK: Addresses: vsock:CID:PORT, unix:PATH, and user:PATH:PORT for the CONNECT line at PATH

    private func listen(_ address: String) throws(Failure) -> Int32 {
        let parts = address.utf8.split(separator: UInt8(ascii: ":")).map { text(Array($0)[...]) }
        guard parts.count >= 2 else { throw Failure("no address") }
        let file = parts[0] == "vsock" ? guest_vsock_listen(UInt32(parts.last!) ?? 0, 4096) : guest_unix_socket(parts[1], 4096)
        guard file >= 0 else { throw Failure("listen", .current) }
        return file
    }

    private func connect(_ address: String) throws(Failure) -> Int32 {
        let parts = address.utf8.split(separator: UInt8(ascii: ":")).map { text(Array($0)[...]) }
        guard parts.count >= 2 else { throw Failure("no address") }
        let file = switch parts[0] {
        case "vsock": guest_vsock_connect(UInt32(parts[1]) ?? 0, UInt32(parts.last!) ?? 0)
        default: guest_unix_socket(parts[1], 0)
        }
        guard file >= 0 else { throw Failure("connect", .current) }
        if parts[0] == "user" {
            do throws(Failure) {
                try handshake(file, port: parts.last!)
            } catch {
                close(file)
                throw error
            }
        }
        return file
    }

    private func handshake(_ file: Int32, port: String) throws(Failure) {
        var line = "CONNECT \(port)\n"
        let result = line.withUTF8 { bytes in
            Result { () throws(Errno) in try writeAll(file, UnsafeRawBufferPointer(bytes)) }
        }
        guard case .success = result else { throw Failure("CONNECT", .current) }
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        // What follows the line is the guest's.
        while byte != UInt8(ascii: "\n") {
            guard read(file, &byte, 1) == 1 else { throw Failure("refused") }
            answer.append(byte)
        }
        guard answer.starts(with: "OK ".utf8) else { throw Failure("CONNECT was answered \(text(answer[...]))") }
    }

    // MARK: Many connections

    /// Answers that an opener lets wait: the acceptor's backlog need not hold them all.
    private static let window = 64

    /// Opens and holds connections, each of which carries two bytes and gets them back.
    private func open(_ count: Int, _ address: String) throws(Failure) {
        let start = held.count
        let window = min(Self.window, count)
        for index in 0..<(count + window) {
            if index >= window {
                let old = index - window
                let answer = try takePair(held[start + old])
                guard answer == UInt16(truncatingIfNeeded: old) else { throw Failure("another's answer") }
            }
            if index < count {
                let file = try connect(address)
                held.append(file)
                try givePair(file, UInt16(truncatingIfNeeded: index))
            }
        }
    }

    private func accept(_ count: Int) throws(Failure) {
        for _ in 0..<count {
            let file = guest_accept(listener)
            guard file >= 0 else { throw Failure("accept", .current) }
            held.append(file)
            try givePair(file, try takePair(file))
        }
    }

    private func takePair(_ file: Int32) throws(Failure) -> UInt16 {
        var pair: (UInt8, UInt8) = (0, 0)
        guard read(file, &pair.0, 1) == 1, read(file, &pair.1, 1) == 1 else { throw Failure("read of two bytes", .current) }
        return UInt16(pair.0) << 8 | UInt16(pair.1)
    }

    private func givePair(_ file: Int32, _ value: UInt16) throws(Failure) {
        var bytes = value.bigEndian
        guard write(file, &bytes, 2) == 2 else { throw Failure("write of two bytes", .current) }
    }

    /// A word on each connection before any answer is read.
    private func ping() throws(Failure) {
        for (index, file) in held.enumerated() { try givePair(file, UInt16(truncatingIfNeeded: index)) }
        for (index, file) in held.enumerated() {
            guard try takePair(file) == UInt16(truncatingIfNeeded: index &+ 1) else { throw Failure("another's answer") }
        }
    }

    private func pong() throws(Failure) {
        for file in held { try givePair(file, try takePair(file) &+ 1) }
    }

    /// Waits until the peer has ended every connection.
    private func awaitEnds() throws(Failure) -> String {
        var resets = 0
        for file in held {
            var byte: UInt8 = 0
            let count = read(file, &byte, 1)
            guard count == 0 || count < 0 && guest_errno() == ECONNRESET else { throw Failure("a connection goes on") }
            if count < 0 { resets += 1 }
            close(file)
        }
        defer { held = [] }
        return "ended=\(held.count) resets=\(resets)"
    }

    /// Sockets of the whole system, those included that no process holds any more.
    private func socketCount() -> Int {
        let words = line("/proc/net/sockstat").utf8.split(separator: UInt8(ascii: " "))
        return words.count > 2 ? Int(text(Array(words[2])[...])) ?? -1 : -1
    }

    // MARK: Streams

    private func send(_ count: Int) throws(Failure) -> String {
        let file = try first()
        do throws(Errno) {
            let goal = outgoing.count + count
            while outgoing.count < goal {
                try outgoing.next(limit: goal - outgoing.count) { bytes throws(Errno) in
                    let sent = write(file, bytes.baseAddress!, bytes.count)
                    guard sent > 0 else { throw .current }
                    return sent
                }
            }
        } catch {
            return "sent=\(outgoing.count) errno=\(error.code)"
        }
        return "sent=\(outgoing.count)"
    }

    private func receive(limit: Int) throws(Failure) -> String {
        let file = try first()
        let start = incoming.count
        while incoming.count - start < limit {
            let count = read(file, &buffer, min(buffer.count, limit - (incoming.count - start)))
            if count < 0 { return "received=\(incoming.count) errno=\(guest_errno())" }
            if count == 0 { return "received=\(incoming.count) end" }
            try check(count)
        }
        return "received=\(incoming.count)"
    }

    private func check(_ count: Int) throws(Failure) {
        let place = incoming.count
        let isRight = buffer.withUnsafeBytes { incoming.matches(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        guard isRight else { throw Failure("wrong bytes after \(place)") }
    }

    /// Sends so many bytes and its end, while it receives to the peer's end.
    private func exchange(_ total: Int) throws(Failure) -> String {
        let file = try first()
        guest_set_nonblocking(file)
        var isDone = false
        var hasEnded = false
        while !(isDone && hasEnded) {
            let events = (hasEnded ? 0 : POLLIN) | (isDone ? 0 : POLLOUT)
            var entry = pollfd(fd: file, events: Int16(events), revents: 0)
            guard poll(&entry, 1, -1) > 0 else { throw Failure("poll", .current) }
            if !hasEnded {
                let count = read(file, &buffer, buffer.count)
                if count == 0 { hasEnded = true }
                if count > 0 { try check(count) }
                if count < 0, guest_errno() != EAGAIN { throw Failure("receive after \(incoming.count)", .current) }
            }
            if !isDone {
                do throws(Errno) {
                    try outgoing.next(limit: total - outgoing.count) { bytes throws(Errno) in
                        let sent = write(file, bytes.baseAddress!, bytes.count)
                        if sent < 0, guest_errno() == EAGAIN { return 0 }
                        guard sent >= 0 else { throw .current }
                        return sent
                    }
                } catch {
                    throw Failure("send after \(outgoing.count)", error)
                }
                if outgoing.count == total {
                    shutdown(file, Int32(SHUT_WR))
                    isDone = true
                }
            }
        }
        return "sent=\(outgoing.count) received=\(incoming.count) end"
    }

    /// Sends back what comes, until the peer's end.
    private func echo() throws(Failure) -> String {
        let file = try first()
        var total = 0
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count >= 0 else { throw Failure("read", .current) }
            if count == 0 { return "echoed=\(total)" }
            total += count
            let result = buffer.withUnsafeBytes { bytes in
                Result { () throws(Errno) in try writeAll(file, UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
            }
            if case .failure(let error) = result { throw Failure("write", error) }
        }
    }

    // MARK: Processes

    /// A process of its own opens one connection and sends without end.
    private func startFlood(_ address: String, seed: Int) throws(Failure) {
        child = guest_fork()
        guard child >= 0 else { throw Failure("fork", .current) }
        guard child == 0 else { return }
        for file in Int32(3)..<64 { close(file) }
        held = []
        outgoing = SeededStream(seed: seed)
        do throws(Failure) {
            try open(1, address)
            _ = try send(.max)
        } catch {
            say("flood \(error.reason)")
        }
        _exit(1)
    }

    private func run(_ words: [String]) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for word in arguments { free(word) } }
        return guest_run(&arguments)
    }
}
