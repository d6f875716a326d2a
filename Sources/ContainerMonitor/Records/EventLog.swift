import LinuxSystem

/// The file that gets a JSON line for each event of the container: `{"time":"…","type":"container","action":"start","id":"…",
/// "name":"…","image":"…","attributes":{…}}`. Several monitors write to the same file.
final class EventLog {
    private let path: String
    private let identifier: String
    private let image: String
    private let time: () -> UInt64
    private let note: (String) -> Void
    private var hasFailed = false
    var name: String

    /// - Parameters:
    ///   - path: of the file; empty: events are not kept.
    ///   - time: nanoseconds since 1970.
    ///   - note: takes a line for people.
    init(_ path: String, identifier: String, name: String, image: String, time: @escaping () -> UInt64, note: @escaping (String) -> Void) {
        self.path = path
        self.identifier = identifier
        self.name = name
        self.image = image
        self.time = time
        self.note = note
    }

    /// Adds a line by one write: lines of others are never mixed with it.
    func add(_ action: String, _ attributes: KeyValuePairs<String, String> = [:]) {
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
        } catch {
            if !hasFailed { note("\(path): events cannot be written: \(error)") }
            hasFailed = true
        }
    }

    private static func append(_ key: String, _ value: String, to line: inout [UInt8]) {
        JSONText.append(key, to: &line)
        line.append(UInt8(ascii: ":"))
        JSONText.append(value, to: &line)
    }
}
