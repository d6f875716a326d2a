/// Paths as lists of components, without a file system in sight.
public enum PathName {
    /// The components between the slashes; empty ones and "." are left out, ".." stays.
    public static func components(_ path: [UInt8]) -> [[UInt8]] {
        path.split(separator: UInt8(ascii: "/")).compactMap { part in
            part.elementsEqual([UInt8(ascii: ".")]) ? nil : Array(part)
        }
    }

    public static func isParent(_ component: [UInt8]) -> Bool {
        component == [UInt8(ascii: "."), UInt8(ascii: ".")]
    }

    /// Whether a path begins with these components, or is exactly they. ".." counts as any other name.
    public static func path(_ path: [UInt8], isAtOrBelow prefix: [UInt8]) -> Bool {
        let parts = components(path)
        let start = components(prefix)
        return parts.count >= start.count && parts[..<start.count].elementsEqual(start)
    }

    /// The path below /proc/sys of a kernel parameter: dots and slashes change places when the first of them is a dot, as sysctl(8) does.
    /// nil when it would lead elsewhere.
    public static func kernelParameter(_ name: [UInt8]) -> [UInt8]? {
        let dot = UInt8(ascii: ".")
        let slash = UInt8(ascii: "/")
        var path = name
        if name.first(where: { $0 == dot || $0 == slash }) == dot {
            path = name.map { $0 == dot ? slash : $0 == slash ? dot : $0 }
        }
        let parts = components(path)
        guard !parts.isEmpty, !parts.contains(where: isParent), !path.contains(0) else { return nil }
        return Array(parts.joined(separator: [slash]))
    }

    /// A word of /proc/PID/mountinfo, in which the kernel writes blanks and backslashes as three octal digits.
    public static func unescaped(_ word: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = word[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }) {
                bytes.append(digits.reduce(0) { $0 << 3 | ($1 & 7) })
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
