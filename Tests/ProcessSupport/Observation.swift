import Glibc
import LinuxSystem

/// Waits for what the kernel announces by no event, such as a terminal's mode or the end of somebody else's thread.
public func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = Clock.monotonicNanoseconds() + patience
    while try !condition() {
        guard Clock.monotonicNanoseconds() < deadline else { throw DeadlinePassed(description: "\(what): not so") }
        poll(nil, 0, 2)
    }
}

extension ChildProcess {
    /// Resident memory in KiB; nil when the process has ended.
    public var residentKiB: Int? {
        guard let line = statusLine("VmRSS:") else { return nil }
        return Int(line.split(separator: " ").first ?? "")
    }

    /// The names of its threads.
    public var threadNames: [String] {
        list("task").compactMap { thread in
            contents(ofSmallFile: "/proc/\(identifier)/task/\(thread)/comm", limit: 64)
                .map { String(decoding: $0.dropLast(), as: UTF8.self) }
        }
    }

    /// How many files it has open.
    public var openFileCount: Int { list("fd").count }

    private func statusLine(_ key: String) -> String? {
        guard let bytes = contents(ofSmallFile: "/proc/\(identifier)/status", limit: 1 << 14) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix(key) }) else { return nil }
        return line.dropFirst(key.count).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private func list(_ name: String) -> [String] {
        directoryEntries("/proc/\(identifier)/\(name)")
    }
}

/// The names in a directory, sorted.
public func directoryEntries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}
