import Devices
import LinuxSystem
import MachineProtocol

/// A network without rights on the host: passt(1) behind a stream socket, started and watched for as long as the monitor lives.
///
/// It ends when its end of the socket is closed, also when the monitor is killed. `init` and `waitUntilReady` are for the time before
/// the control loop runs, the rest for its thread.
final class UserNetwork {
    static let program = "passt"

    /// A first wait before a restart, the longest, and the time after which passt counts as having run: nanoseconds.
    private static let shortestDelay: UInt64 = 100_000_000
    private static let longestDelay: UInt64 = 10_000_000_000
    /// Milliseconds; passt takes some 20 to start.
    private static let readyTime: Int32 = 5_000

    let backend: NetworkBackend
    /// For messages.
    private let option: String
    private let path: String
    private let arguments: [String]
    private var child: Subprocess
    private var errors: FileDescriptor
    private var socket: Int32
    private var startTime: UInt64
    private var delay = shortestDelay
    private var loop: EventLoop?
    private var watch: EventLoop.Token?
    private let timer: OneShotTimer

    /// Starts passt.
    ///
    /// - Parameter path: the program.
    init(_ description: UserNetworkDescription, path: String, option: String) throws(Errno) {
        self.option = option
        self.path = path
        arguments = Self.arguments(description)
        timer = try OneShotTimer()
        let started = try Self.start(path, arguments)
        child = started.child
        socket = started.port.raw
        startTime = Clock.monotonicNanoseconds()
        backend = NetworkBackend(name: option, ports: [started.port])
        errors = started.takeErrors()
    }

    static func arguments(_ description: UserNetworkDescription) -> [String] {
        var arguments = [program, "--foreground", "--quiet", "--fd", "3"]
        if !description.reachesHost {
            arguments.append("--no-map-gw")
            for server in resolvers { arguments += ["--dns", server] }
        }
        if let addresses = description.addresses {
            arguments += ["--ipv4-only", "--address", addresses.guest, "--netmask", "\(addresses.prefixLength)", "--gateway", addresses.gateway]
            if let resolver = addresses.resolver { arguments += ["--dns-forward", resolver] }
        }
        for port in description.published {
            arguments.append(port.transport == .tcp ? "--tcp-ports" : "--udp-ports")
            arguments.append((port.address.map { $0 + "/" } ?? "") + "\(port.host):\(port.guest)")
        }
        return arguments
    }

    /// Name servers for guests that do not reach the host's loopback interface, where the host's own is there; empty: passt knows.
    private static var resolvers: [String] {
        func servers(_ path: String) -> [String] {
            String(decoding: contents(ofSmallFile: path) ?? [], as: UTF8.self).split(separator: "\n").compactMap { line in
                let words = line.split(whereSeparator: \.isWhitespace)
                return words.count >= 2 && words[0] == "nameserver" ? String(words[1]) : nil
            }
        }
        func isLoopback(_ address: String) -> Bool { address.hasPrefix("127.") || address == "::1" }
        guard servers("/etc/resolv.conf").allSatisfy(isLoopback) else { return [] }
        // Where systemd-resolved has the servers that it asks.
        return servers("/run/systemd/resolve/resolv.conf").filter { !isLoopback($0) }
    }

    private struct Started: ~Copyable {
        let child: Subprocess
        let port: NetworkPort
        let errors: FileDescriptor

        consuming func takeErrors() -> FileDescriptor { errors }
    }

    private static func start(_ path: String, _ arguments: [String]) throws(Errno) -> Started {
        let pair = try SocketPair(.stream)
        let nothing = try FileDescriptor.open("/dev/null", .readWrite)
        let words = try FileDescriptor.pipe()
        // passt must never wait for somebody to read what it says.
        try words.write.setNonBlocking()
        try words.read.setNonBlocking()
        let child = try Subprocess(path, arguments: arguments, descriptors: [nothing.raw, nothing.raw, words.write.raw, pair.second.raw])
        let errors = try words.read.duplicate()
        return Started(child: child, port: try NetworkPort(socket: pair.takeFirst()), errors: errors)
    }

    /// Waits until passt serves: it answers every question for an address. Returns the reason when it does not.
    ///
    /// - Parameter mac: the guest's address.
    func waitUntilReady(mac: [UInt8]) -> String? {
        let question = Self.question(mac)
        guard question.withUnsafeBytes({ writeWhatFits(socket, $0) }) == question.count else { return failure }
        switch waitForInput(child.raw, or: socket, within: Self.readyTime) {
        case 0: return failure
        case 1:
            // A socket that ends is readable, too.
            guard let header = read(4) else { return failure }
            let length = header.reduce(0) { $0 << 8 | Int($1) }
            return (1...65_550).contains(length) && read(length) != nil ? nil : failure
        default:
            // Without IPv4 it answers nothing; it runs all the same.
            return nil
        }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let part = bytes.withUnsafeMutableBytes { readWhenReady(socket, into: UnsafeMutableRawBufferPointer(rebasing: $0[done...])) }
            guard let part, part > 0 else { return nil }
            done += part
        }
        return bytes
    }

    /// An ARP probe (RFC 5227), with its length.
    private static func question(_ mac: [UInt8]) -> [UInt8] {
        let ethernet: [UInt8] = [UInt8](repeating: 0xFF, count: 6) + mac + [0x08, 0x06]
        let probe: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1] + mac + [0, 0, 0, 0] + [UInt8](repeating: 0, count: 6) + [169, 254, 1, 2]
        let frame = ethernet + probe
        return [0, 0, 0, UInt8(frame.count)] + frame
    }

    /// Why passt has ended, in its own words where it had any.
    private var failure: String {
        child.terminate()
        let status = child.wait()
        let reason = "passt ended with status \(status)"
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = bytes.withUnsafeMutableBytes { (try? errors.read(into: $0)) ?? 0 }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
            // Said by every passt that runs where there is no system log, or as root.
            .filter { !$0.hasPrefix("Failed to send ") && !$0.hasPrefix("Don't run as root") }
        return lines.last.map { "\(reason): \($0)" } ?? reason
    }

    // MARK: On the control loop

    /// Watches passt from now on.
    func supervise(on loop: EventLoop) throws(Errno) {
        self.loop = loop
        _ = try loop.watch(timer.raw, for: .readable) { [unowned self] _ in
            timer.take()
            restart()
        }
        try watchChild()
    }

    private func watchChild() throws(Errno) {
        watch = try loop?.watch(child.raw, for: .readable) { [unowned self] _ in hasEnded() }
    }

    private func hasEnded() {
        if let watch { loop?.forget(watch) }
        watch = nil
        let reason = failure
        backend.disconnect()
        // One that has run for a while may start again at once.
        if Clock.monotonicNanoseconds() - startTime > Self.longestDelay { delay = Self.shortestDelay }
        printErrorLine("svmm: \(option): \(reason); the link is down until it runs again")
        retry()
    }

    private func retry() {
        timer.arm(nanoseconds: delay)
        delay = min(2 * delay, Self.longestDelay)
    }

    private func restart() {
        do throws(Errno) {
            let started = try Self.start(path, arguments)
            child = started.child
            socket = started.port.raw
            startTime = Clock.monotonicNanoseconds()
            try watchChild()
            backend.connect([started.port])
            errors = started.takeErrors()
            printErrorLine("svmm: \(option): passt runs again; the link is up")
        } catch {
            retry()
        }
    }

    /// Ends passt. For the end of the monitor.
    func stop() {
        if let watch { loop?.forget(watch) }
        timer.disarm()
        child.terminate()
    }
}
