import CommandSupport
import Containers
import LinuxSystem

extension ContainerMount {
    /// `--volume HOSTDIR:DIRECTORY[:OPTIONS]`.
    static func parse(volume text: String) throws(Expected) -> ContainerMount {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw Expected("HOSTDIR:DIRECTORY[:ro,…], found '\(text)'")
        }
        guard parts.count > 1 else {
            throw Expected("HOSTDIR:DIRECTORY, found '\(text)' alone: volumes of svmm's own are not in this version")
        }
        guard let source = try hostDirectory(parts[0]) else {
            throw Expected("a directory of the host with a / in it, found the name '\(parts[0])': named volumes are not in this version")
        }
        return .bind(source: source, destination: try destination(parts[1]), options: try options(parts.count == 3 ? parts[2] : ""))
    }

    /// `--mount type=bind,source=…,destination=…[,readonly]` and `type=tmpfs,destination=…[,tmpfs-size=…][,tmpfs-mode=…]`.
    static func parse(mount text: String) throws(Expected) -> ContainerMount {
        var values: [String: String] = [:]
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let key = aliases[parts[0]] ?? parts[0]
            guard known.contains(key) else {
                throw Expected("type, source, destination, readonly, tmpfs-size or tmpfs-mode, found '\(word)'")
            }
            guard values.updateValue(parts.count == 2 ? parts[1] : "true", forKey: key) == nil else {
                throw Expected("each word once, found '\(key)' again")
            }
        }
        guard let target = values["destination"] else { throw Expected("destination=DIRECTORY, found '\(text)'") }
        let isReadOnly = try values["readonly"].map { value throws(Expected) in try flag(value) } ?? false
        switch values["type"] ?? "volume" {
        case "bind":
            guard values["tmpfs-size"] == nil, values["tmpfs-mode"] == nil else { throw Expected("tmpfs-… with type=tmpfs only") }
            guard let given = values["source"], let source = try hostDirectory(given) else {
                throw Expected("source=HOSTDIR, an absolute path, found '\(values["source"] ?? "")'")
            }
            return .bind(source: source, destination: try destination(target), options: isReadOnly ? [.readOnly] : [])
        case "tmpfs":
            guard values["source"] == nil else { throw Expected("no source with type=tmpfs, found '\(values["source"] ?? "")'") }
            var options = temporaryDefaults
            if isReadOnly { options.insert(.readOnly) }
            let size = try values["tmpfs-size"].map { value throws(Expected) in try Sizes.bytes(value) } ?? 0
            let mode = try values["tmpfs-mode"].map { value throws(Expected) in try parseMode(value) } ?? 0o1777
            return .temporary(destination: try destination(target), size: size, mode: mode, options: options)
        case "volume": throw Expected("type=bind or type=tmpfs; volumes are not in this version")
        case let other: throw Expected("type=bind or type=tmpfs, found 'type=\(other)'")
        }
    }

    /// `--tmpfs DIRECTORY[:OPTIONS]`.
    static func parse(tmpfs text: String) throws(Expected) -> ContainerMount {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var options = temporaryDefaults
        var size: UInt64 = 0
        var mode: UInt16 = 0o1777
        for word in parts.count == 2 ? parts[1].split(separator: ",") : [] {
            if word.hasPrefix("size=") {
                size = try Sizes.bytes(String(word.dropFirst(5)))
            } else if word.hasPrefix("mode=") {
                mode = try parseMode(String(word.dropFirst(5)))
            } else {
                try apply(word, to: &options, "size=SIZE, mode=MODE, ro, rw, suid, nosuid, dev, nodev, exec or noexec")
            }
        }
        return .temporary(destination: try destination(parts[0]), size: size, mode: mode, options: options)
    }

    private static let temporaryDefaults: Containers.MountOptions = [.noSetID, .noDevices, .noExecution]
    private static let aliases = ["src": "source", "dst": "destination", "target": "destination", "ro": "readonly"]
    private static let known = ["type", "source", "destination", "readonly", "tmpfs-size", "tmpfs-mode"]

    /// nil for a name that is no path.
    private static func hostDirectory(_ text: String) throws(Expected) -> String? {
        guard text.contains("/") || text == "." || text == ".." else { return nil }
        if text.hasPrefix("/") { return text }
        guard let directory = try? CurrentProcess.workingDirectory() else { throw Expected("an absolute path: the working directory is gone") }
        return directory + "/" + text
    }

    private static func destination(_ text: String) throws(Expected) -> String {
        guard text.hasPrefix("/") else { throw Expected("an absolute path in the container, found '\(text)'") }
        // Two spellings of one directory are one.
        let parts = text.split(separator: "/").filter { $0 != "." }
        guard !parts.contains(".."), !parts.isEmpty else { throw Expected("a directory below / without .. in its path, found '\(text)'") }
        return "/" + parts.joined(separator: "/")
    }

    private static func options(_ text: String) throws(Expected) -> Containers.MountOptions {
        var options: Containers.MountOptions = []
        for word in text.split(separator: ",") {
            // They mean something to SELinux only.
            if word == "z" || word == "Z" {
                guard (try? fileStatus(at: "/sys/fs/selinux/enforce")) == nil else {
                    throw Expected("ro, rw, nosuid, nodev or noexec, found '\(word)': SELinux labels are not in this version")
                }
            } else {
                try apply(word, to: &options, "ro, rw, suid, nosuid, dev, nodev, exec or noexec")
            }
        }
        return options
    }

    private static func apply(_ word: Substring, to options: inout Containers.MountOptions, _ expected: String) throws(Expected) {
        switch word {
        case "ro": options.insert(.readOnly)
        case "rw": options.remove(.readOnly)
        case "nosuid": options.insert(.noSetID)
        case "suid": options.remove(.noSetID)
        case "nodev": options.insert(.noDevices)
        case "dev": options.remove(.noDevices)
        case "noexec": options.insert(.noExecution)
        case "exec": options.remove(.noExecution)
        default: throw Expected("\(expected), found '\(word)'")
        }
    }

    private static func parseMode(_ text: String) throws(Expected) -> UInt16 {
        guard let mode = UInt16(text, radix: 8), mode <= 0o7777 else { throw Expected("an octal mode of at most 7777, found '\(text)'") }
        return mode
    }

    private static func flag(_ text: String) throws(Expected) -> Bool {
        switch text {
        case "true", "1": return true
        case "false", "0": return false
        default: throw Expected("true or false, found '\(text)'")
        }
    }
}
