import LinuxSystem

/// The file that gets a JSON line for each event of the container: `{"time":"…","type":"container","action":"start","id":"…",
/// "name":"…","image":"…","attributes":{…}}`. Several processes write to the same file. Used by one thread at a time.
public final class EventLog {
    /// The file's size in bytes at which it is begun anew; the old one is kept once, as NAME.1.
    public static let sizeLimit: UInt64 = 8 << 20

    private let path: String
    private let limit: UInt64
    private let identifier: String
    private let image: String
    private let time: () -> UInt64
    private let note: (String) -> Void
    private var hasFailed = false
    public var name: String

    /// - Parameters:
    ///   - path: of the file; empty: events are not kept.
    ///   - limit: bytes.
    ///   - time: nanoseconds since 1970.
    ///   - note: takes a line for people when the file cannot be written, once.
    public init(
        _ path: String, limit: UInt64 = sizeLimit, identifier: String, name: String, image: String, time: @escaping () -> UInt64,
        note: @escaping (String) -> Void
    ) {
        self.path = path
        self.limit = limit
        self.identifier = identifier
        self.name = name
        self.image = image
        self.time = time
        self.note = note
    }

    /// Adds a line by one write: lines of others are never mixed with it.
    public func add(_ action: String, _ attributes: KeyValuePairs<String, String> = [:]) {
        guard !path.isEmpty else { return }
        var line: [UInt8] = []
        line.append(UInt8(ascii: "{"))
        for (key, value) in [("time", TimeText.rfc3339(nanoseconds: time())), ("type", "container"), ("action", action),
                             ("id", identifier), ("name", name), ("image", image)] {
            Self.append(key, value, to: &line)
            line.append(UInt8(ascii: ","))
        }
        line += Array(#""attributes":{"#.utf8)
        for (index, (key, value)) in attributes.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            Self.append(key, value, to: &line)
        }
        line += Array("}}\n".utf8)
        do throws(Errno) {
            // Opened each time: others may begin a new file in its place.
            let file = try FileDescriptor.open(path, [.writeOnly, .create, .append, .noControllingTerminal])
            let result = line.withUnsafeBytes { bytes in Result { () throws(Errno) in try write(file.raw, bytes) } }
            _ = try result.get()
            try beginAnew(file)
        } catch {
            if !hasFailed { note("\(path): events cannot be written: \(error)") }
            hasFailed = true
        }
    }

    /// Makes room when the file has grown too large. Who gets the lock does, unless somebody else has meanwhile.
    private func beginAnew(_ file: borrowing FileDescriptor) throws(Errno) {
        let status = try file.status()
        guard status.size > limit, try file.tryLock(shared: false) else { return }
        do throws(Errno) {
            if try fileStatus(at: path).identity == status.identity { try renameFile(path, to: path + ".1") }
        } catch {
            // The other's new file is made with its first line.
            guard error == .noEntry else { throw error }
        }
    }

    private static func append(_ key: String, _ value: String, to line: inout [UInt8]) {
        JSONText.append(key, to: &line)
        line.append(UInt8(ascii: ":"))
        JSONText.append(value, to: &line)
    }
}
