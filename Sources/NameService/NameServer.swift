import LinuxSystem

/// Answers questions for the names of one network, on a loop. Everything here is for the loop's thread, or any one before the loop runs.
public final class NameServer {
    /// Called when the file of names is gone or names nobody any more.
    public var whenNameless: () -> Void = {}

    private let loop: EventLoop
    private let configuration: NameServerConfiguration
    private let deadlines: Deadlines
    private let forwarder: Forwarder
    private let desk: QuestionDesk
    private let datagrams: [DatagramService]
    private let streams: StreamService
    private let changes: FileChanges
    private var token: EventLoop.Token?
    private var contents: [UInt8] = []

    /// Listens; throws where an address cannot be listened at.
    public init(_ configuration: NameServerConfiguration, on loop: EventLoop) throws(NameServiceError) {
        (self.configuration, self.loop) = (configuration, loop)
        let buffer = ReceiveBuffer()
        do throws(Errno) {
            deadlines = try Deadlines(loop)
            changes = try FileChanges()
        } catch {
            throw NameServiceError("name server: \(error)", error)
        }
        forwarder = Forwarder(loop, deadlines, buffer, configuration)
        desk = QuestionDesk(Responder(domain: configuration.domain, forwards: configuration.forwards), forwarder)
        streams = StreamService(loop, deadlines, desk, buffer, configuration)
        var datagrams: [DatagramService] = []
        for address in configuration.addresses {
            let endpoint = InternetEndpoint(address, port: configuration.port)
            do throws(Errno) {
                datagrams.append(try DatagramService(loop, endpoint, desk, buffer))
                try streams.listen(at: endpoint)
            } catch {
                for service in datagrams { service.close() }
                streams.close()
                deadlines.close()
                throw NameServiceError(listening: endpoint, error)
            }
        }
        self.datagrams = datagrams
        // A directory that is gone has no file in it either.
        try? changes.watch(directory(of: configuration.names))
        token = try? loop.watch(changes.raw, for: .readable) { [unowned self] _ in
            changes.take()
            readNames()
            if isNameless { whenNameless() }
        }
        readNames()
    }

    /// Stops listening, and answers nobody any more. To be called before the object ends.
    public func close() {
        for service in datagrams { service.close() }
        streams.close()
        forwarder.close()
        deadlines.close()
        if let token { loop.forget(token) }
        token = nil
    }

    /// Whether nobody is named.
    public var isNameless: Bool { desk.responder.table.isEmpty }

    /// Reads the file of names, as is done by itself whenever it changes.
    public func readNames() {
        let found = contentsWithoutWaiting(configuration.names, limit: NameTable.largestFile) ?? []
        guard found != contents else { return }
        contents = found
        // The last line of a file that is too long is part of one.
        let isCut = found.count == NameTable.largestFile
        desk.setTable(NameTable(parsing: isCut ? found[..<(found.lastIndex(of: UInt8(ascii: "\n")) ?? 0)] : found[...]))
    }
}

/// The part of a path before its last name.
private func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Why there is no name server: one line.
public struct NameServiceError: Error, CustomStringConvertible {
    public let description: String
    let cause: Errno?

    init(_ description: String, _ cause: Errno? = nil) {
        (self.description, self.cause) = (description, cause)
    }

    init(listening endpoint: InternetEndpoint, _ error: Errno) {
        let advice = switch error {
        case .addressInUse: "; another name server has this port, here or at all addresses: let it listen at its own addresses only"
        case .accessDenied, .notPermitted: "; ports below 1024 are root's"
        default: ""
        }
        self.init("name server: \(endpoint): \(error)\(advice)", error)
    }
}
