import CommandSupport
import Containers
import LinuxSystem

extension ContainerMount {
    /// `--volume HOSTPATH:DIRECTORY[:OPTIONS]`, `NAME:DIRECTORY[:OPTIONS]`, or `DIRECTORY` alone for a new volume without a name.
    static func parse(volume text: String) throws(Expected) -> ContainerMount {
        // Options may have colons in them: owners.
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw Expected("HOSTPATH:DIRECTORY[:ro,…], NAME:DIRECTORY[:ro,…] or DIRECTORY, found '\(text)'")
        }
        guard parts.count > 1 else { return .volume(VolumeMount(name: nil, destination: try destination(parts[0]))) }
        var options = VolumeWords(parts.count == 3 ? parts[2] : "")
        if let source = try hostPath(parts[0]) {
            try options.parse(isBind: true)
            return .bind(source: source, destination: try destination(parts[1]), options: options.options, ownership: options.ownership)
        }
        try options.parse(isBind: false)
        return .volume(VolumeMount(name: try volumeName(parts[0]), destination: try destination(parts[1]), options: options.options,
                                   copiesImage: options.copiesImage))
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
            } else if !options.apply(word) {
                throw Expected("size=SIZE, mode=MODE, \(Containers.MountOptions.words), found '\(word)'")
            }
        }
        return .temporary(destination: try destination(parts[0]), size: size, mode: mode, options: options)
    }

    static let temporaryDefaults: Containers.MountOptions = [.noSetID, .noDevices, .noExecution]

    /// nil for a name that is no path.
    static func hostPath(_ text: String) throws(Expected) -> String? {
        guard text.contains("/") || text == "." || text == ".." else { return nil }
        if text.hasPrefix("/") { return text }
        guard let directory = try? CurrentProcess.workingDirectory() else { throw Expected("an absolute path: the working directory is gone") }
        return directory + "/" + text
    }

    static func volumeName(_ text: String) throws(Expected) -> String {
        do throws(ContainerError) {
            try ContainerName.check(text)
        } catch {
            throw Expected("a volume's name or a path of the host with a / in it: \(error)")
        }
        return text
    }

    static func destination(_ text: String) throws(Expected) -> String {
        guard text.hasPrefix("/") else { throw Expected("an absolute path in the container, found '\(text)'") }
        // Two spellings of one directory are one.
        let parts = text.split(separator: "/").filter { $0 != "." }
        guard !parts.contains(".."), !parts.isEmpty else { throw Expected("a directory below / without .. in its path, found '\(text)'") }
        return "/" + parts.joined(separator: "/")
    }

    static func parseMode(_ text: String) throws(Expected) -> UInt16 {
        guard let mode = UInt16(text, radix: 8), mode <= 0o7777 else { throw Expected("an octal mode of at most 7777, found '\(text)'") }
        return mode
    }
}

/// What stands behind the second colon of `--volume`.
private struct VolumeWords {
    let text: String
    var options: Containers.MountOptions = []
    var ownership: MountOwnership?
    var copiesImage = true

    init(_ text: String) {
        self.text = text
    }

    mutating func parse(isBind: Bool) throws(Expected) {
        for word in text.split(separator: ",") {
            switch word {
            // They mean something to SELinux only.
            case "z", "Z":
                guard (try? fileStatus(at: "/sys/fs/selinux/enforce")) == nil else {
                    throw Expected("ro, rw, nosuid, nodev or noexec, found '\(word)': SELinux labels are not in this version")
                }
            case "copy" where !isBind: copiesImage = true
            case "nocopy" where !isBind: copiesImage = false
            case _ where isBind && word.hasPrefix("uidmap="): ownership = try MountOwnership(parsing: word.dropFirst("uidmap=".count))
            default:
                guard !options.apply(word) else { continue }
                throw Expected("\(Containers.MountOptions.words), or \(isBind ? "uidmap=…" : "nocopy"), found '\(word)'")
            }
        }
    }
}

extension Containers.MountOptions {
    static let words = "ro, rw, suid, nosuid, dev, nodev, exec or noexec"

    /// Whether the word is one of these.
    mutating func apply(_ word: Substring) -> Bool {
        switch word {
        case "ro": insert(.readOnly)
        case "rw": remove(.readOnly)
        case "nosuid": insert(.noSetID)
        case "suid": remove(.noSetID)
        case "nodev": insert(.noDevices)
        case "dev": remove(.noDevices)
        case "noexec": insert(.noExecution)
        case "exec": remove(.noExecution)
        default: return false
        }
        return true
    }
}

extension MountOwnership {
    /// passthrough, mapped, squash or squash=UID[:GID], as `svmm boot --share` has them.
    init(parsing word: Substring) throws(Expected) {
        switch word {
        case "passthrough": self = .passthrough
        case "mapped": self = .mapped
        case "squash": self = .squash()
        default:
            let parts = word.hasPrefix("squash=") ? word.dropFirst("squash=".count).split(separator: ":", omittingEmptySubsequences: false) : []
            // The highest number is nobody's: (uid_t)-1.
            guard (1...2).contains(parts.count), let user = UInt32(parts[0]), let group = parts.count == 2 ? UInt32(parts[1]) : user,
                  user != .max, group != .max else {
                throw Expected("uidmap=passthrough, mapped, squash or squash=UID[:GID], found 'uidmap=\(word)'")
            }
            self = .squash(user: user, group: group)
        }
    }
}
