import LinuxSystem

/// Reads a file of lines that others append to, and that makes room by becoming NAME.1, NAME.2…: from the oldest line to the newest, and on
/// as they come. One thread at a time.
struct LineFile: ~Copyable {
    private let directory: String
    private let name: String
    private var file: FileDescriptor?
    private var offset: UInt64 = 0
    /// The beginning of a line whose end has not been written yet.
    private var rest: [UInt8] = []

    private static let chunk = 128 << 10
    /// A longer line is none of ours.
    private static let maximumLine = 4 << 20

    /// - Parameter last: how many lines to begin with; nil: all that there are.
    init(directory: String, name: String, last: Int?) throws(ContainerError) {
        self.directory = directory
        self.name = name
        if let last { try seek(last) } else if let oldest = names().last { try open(oldest) }
    }

    /// What is there, the newest first.
    private func names() -> [String] {
        let all = (try? LinuxSystem.names(inDirectory: directory)) ?? []
        let numbers = all.compactMap { entry -> Int? in
            entry == name ? 0 : entry.hasPrefix(name + ".") ? Int(entry.dropFirst(name.utf8.count + 1)).flatMap { $0 > 0 ? $0 : nil } : nil
        }
        return numbers.sorted().map { $0 == 0 ? name : "\(name).\($0)" }
    }

    /// False when it is gone.
    @discardableResult
    private mutating func open(_ entry: String) throws(ContainerError) -> Bool {
        let path = directory + "/" + entry
        do throws(Errno) {
            file = try FileDescriptor.open(path, [.readOnly, .noFollow])
        } catch {
            guard error == .noEntry else { throw .file(path, error) }
            return false
        }
        offset = 0
        rest = []
        return true
    }

    /// Goes to where so many lines are left.
    private mutating func seek(_ count: Int) throws(ContainerError) {
        var missing = count
        let names = names()
        for (index, entry) in names.enumerated() {
            guard try open(entry) else { continue }
            let found = lastLines(missing)
            offset = found.offset
            missing -= found.count
            if missing <= 0 || index == names.count - 1 { return }
        }
    }

    /// Where the last lines of the open file begin, at most so many.
    private borrowing func lastLines(_ count: Int) -> (offset: UInt64, count: Int) {
        guard let size = try? file?.status().size else { return (0, 0) }
        var found = 0
        var end = size
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while end > 0 {
            let start = end > UInt64(block.count) ? end - UInt64(block.count) : 0
            let length = Int(end - start)
            let read = block.withUnsafeMutableBytes { (try? file?.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<length]), at: start)) ?? 0 }
            for index in stride(from: read - 1, through: 0, by: -1) where block[index] == UInt8(ascii: "\n") {
                // The newline at the very end ends the last line.
                let place = start + UInt64(index) + 1
                if place == size { continue }
                found += 1
                if found == count { return (place, count) }
            }
            end = start
        }
        return count == 0 ? (size, 0) : (0, size > 0 ? found + 1 : 0)
    }

    /// The next lines, without their newlines; empty: there are no more at the moment.
    mutating func next() throws(ContainerError) -> [ArraySlice<UInt8>] {
        while true {
            if file == nil {
                guard let oldest = names().last, try open(oldest) else { return [] }
            }
            let lines = try read()
            if !lines.isEmpty { return lines }
            guard try openNewer() else { return [] }
        }
    }

    private mutating func read() throws(ContainerError) -> [ArraySlice<UInt8>] {
        while true {
            var bytes = [UInt8](repeating: 0, count: Self.chunk)
            let count = bytes.withUnsafeMutableBytes { buffer in (try? file?.read(into: buffer, at: offset)) ?? 0 }
            guard count > 0 else { return [] }
            offset += UInt64(count)
            guard let last = bytes[..<count].lastIndex(of: UInt8(ascii: "\n")) else {
                rest += bytes[..<count]
                if rest.count > Self.maximumLine { rest = [] }
                continue
            }
            let whole = rest + bytes[..<last]
            rest = Array(bytes[(last + 1)..<count])
            return whole.split(separator: UInt8(ascii: "\n"))
        }
    }

    /// When the open file is no longer the newest: goes to the next one.
    private mutating func openNewer() throws(ContainerError) -> Bool {
        guard let own = try? file?.status().identity else { return false }
        let entries = names()
        let place = entries.firstIndex { (try? fileStatus(at: directory + "/" + $0, followingLinks: false))?.identity == own }
        if place == 0 { return false }
        // What was written to it between the last read and its renaming comes first.
        if let size = try? file?.status().size, size > offset { return true }
        guard let next = place.map({ entries[$0 - 1] }) ?? entries.last else { return false }
        return try open(next)
    }
}
