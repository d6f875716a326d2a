import CommandSupport
import LinuxSystem

/// `-e`, `--env-file`.
enum EnvironmentOptions {
    /// Variables of the files, then those of `-e`. A name alone takes the caller's value, and is nothing where there is none.
    static func combine(files: [String], variables: [String]) throws(Expected) -> [String] {
        var result: [String] = []
        for file in files { result += try parse(file: file) }
        for variable in variables {
            let name = variable.prefix { $0 != "=" }
            guard !name.isEmpty else { throw Expected("NAME=VALUE or NAME, found '\(variable)'") }
            if name.utf8.count < variable.utf8.count {
                result.append(variable)
            } else if let value = CurrentProcess.variable(variable) {
                result.append("\(variable)=\(value)")
            }
        }
        return result
    }

    /// More than a process can be started with.
    private static let fileLimit = 1 << 20

    /// To its end, so that it may be a pipe.
    private static func parse(file: String) throws(Expected) -> [String] {
        var bytes: [UInt8] = []
        do throws(Errno) {
            let source = try FileDescriptor.open(file, .readOnly)
            var part = [UInt8](repeating: 0, count: 64 << 10)
            while bytes.count <= fileLimit {
                guard let count = part.withUnsafeMutableBytes({ readWhenReady(source.raw, into: $0) }) else { throw .current }
                if count == 0 { break }
                bytes += part[..<count]
            }
        } catch {
            throw Expected("--env-file FILE that can be read, found '\(file)': \(error)")
        }
        guard bytes.count <= fileLimit else { throw Expected("--env-file FILE of at most \(fileLimit) bytes, found more in '\(file)'") }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Expected("--env-file \(file): UTF-8 text") }
        return try parse(text, file: file)
    }

    /// NAME=VALUE a line, the value as it stands; NAME alone takes the caller's; empty lines and those that begin with # are passed over.
    static func parse(_ text: String, file: String) throws(Expected) -> [String] {
        var result: [String] = []
        // Bytes: a line feed is a character's part behind a carriage return, and other characters end lines for others only.
        for (index, whole) in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            guard !whole.contains(0) else { throw Expected("--env-file \(file), line \(index + 1): text, found a NUL in it") }
            let line = (whole.last == 0x0D ? whole.dropLast() : whole).drop { $0 == 0x20 || $0 == 0x09 }
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            let name = Substring(line.prefix { $0 != UInt8(ascii: "=") })
            guard !name.isEmpty, !name.unicodeScalars.contains(where: \.properties.isWhitespace) else {
                throw Expected("--env-file \(file), line \(index + 1): NAME=VALUE or NAME, found '\(Substring(line))'")
            }
            if name.utf8.count < line.count {
                result.append(String(Substring(line)))
            } else if let value = CurrentProcess.variable(String(name)) {
                result.append("\(name)=\(value)")
            }
        }
        return result
    }

    /// `--label`, `--annotation`: KEY or KEY=VALUE.
    static func pairs(_ texts: [String]) throws(Expected) -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = parts.first, !key.isEmpty else { throw Expected("KEY=VALUE, found '\(text)'") }
            result[String(key)] = parts.count == 2 ? String(parts[1]) : ""
        }
        return result
    }

    /// `--sysctl`: NAME=VALUE.
    static func sysctls(_ texts: [String]) throws(Expected) -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let isName = parts.first.map { name in
                !name.isEmpty && name.utf8.allSatisfy { byte in
                    (48...57).contains(byte) || (97...122).contains(byte) || (65...90).contains(byte) || "._-/".utf8.contains(byte)
                }
            }
            guard parts.count == 2, isName == true, !parts[0].contains("..") else {
                throw Expected("NAME=VALUE such as net.core.somaxconn=1024, found '\(text)'")
            }
            result[parts[0].replacing("/", with: ".")] = String(parts[1])
        }
        return result
    }
}

extension Substring {
    fileprivate func replacing(_ old: Character, with new: Character) -> String {
        String(map { $0 == old ? new : $0 })
    }
}
