import TestSupport

/// Makes requests of 9P2000.L with few fids and names, so that they meet what earlier ones have made; some of them not well-formed.
enum MessageGenerator {
    // include/net/9p/9p.h
    static let version: UInt8 = 100, attach: UInt8 = 104, walk: UInt8 = 110, getattr: UInt8 = 24

    private static let names = ["a", "b", "c", "dir", "..", ".", "", "a/b", "link", "out", "a\0b", "share"]
    private static let attributes = ["user.a", "user.b", "trusted.a", "security.capability", "user.svmm.status", "x", ""]

    static func request(_ input: inout FuzzInput) -> [UInt8] {
        let type = input.once(in: 64) ? input.byte() : input.pick(kinds.map(\.0))
        var message = Bytes(type, tag: input.once(in: 8) ? input.number() : UInt16(input.below(4)))
        let fields = kinds.first { $0.0 == type }?.1 ?? ""
        for field in fields { message.put(field, &input) }
        var bytes = message.finished
        if input.once(in: 24) { ByteMutation.mutate(&bytes, &input) }
        return bytes
    }

    /// Walks from a fid to a name and opens what is there: the way to all that is done with open files.
    static func opening(_ input: inout FuzzInput) -> [[UInt8]] {
        let fid = UInt32(1 + input.below(5))
        var clunk = Bytes(120, tag: 1)
        clunk.word(fid)
        var walk = Bytes(walk, tag: 1)
        walk.word(0)
        walk.word(fid)
        let name = input.pick(["", "a", "dir", "b", "link"])
        walk.integer(UInt16(name.isEmpty ? 0 : 1))
        if !name.isEmpty { walk.string(name) }
        var open = Bytes(12, tag: 1)
        open.word(fid)
        open.word(input.pick([0, 2, 0, 1, 0o2001]))
        return [clunk.finished, walk.finished, open.finished]
    }

    static func versionRequest(_ size: UInt32) -> [UInt8] {
        var message = Bytes(version, tag: .max)
        message.word(size)
        message.string("9P2000.L")
        return message.finished
    }

    static func attachRequest(fid: UInt32, user: UInt32 = 0) -> [UInt8] {
        var message = Bytes(attach, tag: 1)
        message.word(fid)
        message.word(.max)
        message.string("root")
        message.string("")
        message.word(user)
        return message.finished
    }

    static func getattrRequest(fid: UInt32) -> [UInt8] {
        var message = Bytes(getattr, tag: 1)
        message.word(fid)
        message.word(0x7FF)
        message.word(0)
        return message.finished
    }

    /// Types, and their fields behind the header: f a fid, n a new fid, s a name, b/h/w/l integers, o flags of open(2), m a mode, c a
    /// count of bytes to read, d data with its count, W names of a walk, x the name of an attribute, k a lock's kind.
    private static let kinds: [(UInt8, String)] = [
        (8, "f"), (12, "fo"), (12, "fo"), (14, "fsomw"), (14, "fsomw"), (16, "fssw"), (18, "fsmwww"), (20, "ffs"), (22, "f"),
        (24, "fl"), (26, "fwmwwlllll"), (30, "fnx"), (32, "fxlw"), (40, "flc"), (50, "fw"), (52, "fkwllws"), (54, "fkllws"),
        (70, "ffs"), (72, "fsmw"), (74, "fsfs"), (76, "fsw"), (100, "wv"), (102, "nssw"), (104, "nfssw"), (108, "h"),
        (110, "fnW"), (110, "fnW"), (110, "fnW"), (116, "flc"), (118, "fld"), (120, "f"), (122, "f"),
    ]

    private struct Bytes {
        private var bytes: [UInt8]

        init(_ type: UInt8, tag: UInt16) {
            bytes = [0, 0, 0, 0, type, UInt8(truncatingIfNeeded: tag), UInt8(truncatingIfNeeded: tag >> 8)]
        }

        var finished: [UInt8] {
            var bytes = bytes
            bytes.put(UInt32(bytes.count), at: 0)
            return bytes
        }

        mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
            for index in 0..<(Value.bitWidth / 8) { bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index))) }
        }

        mutating func word(_ value: UInt32) { integer(value) }

        mutating func string(_ text: String) {
            integer(UInt16(text.utf8.count))
            bytes += text.utf8
        }

        mutating func put(_ field: Character, _ input: inout FuzzInput) {
            switch field {
            case "f", "n": word(input.once(in: 32) ? input.number() : UInt32(input.below(6)))
            case "s": string(input.once(in: 32) ? String(repeating: "n", count: input.below(400)) : input.pick(names))
            case "x": string(input.pick(attributes))
            case "v": string(input.once(in: 8) ? "9P2000" : "9P2000.L")
            case "b": integer(input.number(UInt8.self))
            case "h": integer(input.number(UInt16.self))
            case "w": word(input.once(in: 2) ? 0 : input.number())
            case "l": integer(input.once(in: 2) ? UInt64(input.below(5000)) : input.number())
            case "o": word(input.once(in: 8) ? input.number() : input.pick([0, 1, 2, 0o101, 0o1002, 0o2001, 0o200000]))
            case "m": word(input.once(in: 8) ? input.number() : input.pick([0o644, 0o755, 0o100644, 0o10600, 0o20600, 0o140600]))
            case "c": word(input.once(in: 8) ? input.number() : UInt32(input.below(6000)))
            case "k": integer(UInt8(input.below(4)))
            case "d":
                let data = [UInt8](repeating: 100, count: input.pick([0, 1, 100, 5000]))
                word(input.once(in: 16) ? input.number() : UInt32(data.count))
                bytes += data
            case "W":
                let count = input.once(in: 32) ? input.below(40) : input.below(4)
                integer(UInt16(count))
                for _ in 0..<count { string(input.pick(names)) }
            default: break
            }
        }
    }
}
