import LinuxSystem

/// What happens to containers, for `svmm events`. The monitor tells of the rest.
enum StoreEvent: String, Sendable {
    case create, remove, rename
}

/// Text of JSON, written without a library: small, and on the way of every start.
enum JSONText {
    /// A string with quotes.
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    static func object(_ members: [(String, String)]) -> String {
        "{" + members.map { "\(string($0)):\($1)" }.joined(separator: ",") + "}"
    }
}

extension ContainerStore {
    /// The event log's size in bytes at which it is begun anew, the old one kept once.
    static let maximumEventLog: UInt64 = 8 << 20

    /// Adds a line to the event log. Nothing depends on it: a line that cannot be written is not.
    func note(_ event: StoreEvent, _ record: ContainerRecord, attributes: [(String, String)] = []) {
        var members = [
            ("time", JSONText.string(Timestamp.text(Clock.realTimeNanoseconds()))), ("type", "\"container\""),
            ("action", JSONText.string(event.rawValue)), ("id", JSONText.string(record.identifier)),
            ("name", JSONText.string(record.name)), ("image", JSONText.string(record.image)),
        ]
        if !attributes.isEmpty { members.append(("attributes", JSONText.object(attributes.map { ($0, JSONText.string($1)) }))) }
        append(JSONText.object(members) + "\n")
    }

    private func append(_ line: String) {
        guard let file = try? FileDescriptor.open(events, [.writeOnly, .create, .append]) else { return }
        // One write: lines of several processes do not mix.
        Array(line.utf8).withUnsafeBytes { bytes in _ = try? file.writeAll(bytes) }
        // Who gets the lock begins a new one, unless somebody else has done so meanwhile.
        guard let status = try? file.status(), status.size > Self.maximumEventLog, (try? file.tryLock(shared: false)) == true,
              (try? fileStatus(at: events))?.identity == status.identity else { return }
        try? renameFile(events, to: events + ".1")
    }
}
