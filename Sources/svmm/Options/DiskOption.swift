import CommandSupport
import MachineProtocol

extension DiskDescription {
    static let syntax = "PATH[,ro][,OPTION=VALUE]..."
    /// In the place of a path: the disk comes later.
    private static let placeholder = "none"
    private static let words = "serial, size, format, cache, engine, queues, iops, iops-burst, bps, bps-burst"

    /// `--disk PATH[,ro][,serial=S][,size=SIZE]…`; svmm-boot(1) has the list.
    init(parsing argument: String) throws(Expected) {
        let words = argument.split(separator: ",", omittingEmptySubsequences: false)
        guard let path = words.first, !path.isEmpty else { throw Expected(Self.syntax) }
        let isPlaceholder = path == Self.placeholder
        self.init(path: isPlaceholder ? "" : String(path), isPlaceholder: isPlaceholder)
        var seen: Set<Substring> = []
        var bursts: (requests: UInt64?, bytes: UInt64?) = (nil, nil)
        for word in words.dropFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = parts[0]
            guard seen.insert(key).inserted else { throw Expected("\(key) once, found it twice") }
            if word == "ro" {
                readOnly = true
                continue
            }
            guard parts.count == 2 else { throw Self.unknown(word) }
            let value = String(parts[1])
            switch key {
            case "serial": serial = try Self.checkedSerial(value)
            case "size": creationSize = try Self.size(value)
            // Formats are named, never guessed from what a guest has written; there is but one.
            case "format": guard value == "raw" else { throw Expected("format=raw, found '\(value)'") }
            case "cache": cache = try Self.choice(value, key, Cache.names)
            case "engine": engine = try Self.choice(value, key, Engine.names)
            case "queues": queueCount = try number(value, in: Self.queueCounts, unit: " queues")
            case "iops": requestLimit = RateLimit(perSecond: try Self.rate(value, "iops"))
            case "iops-burst": bursts.requests = try Self.rate(value, "iops-burst")
            case "bps": byteLimit = RateLimit(perSecond: try Self.rate(value, "bps"))
            case "bps-burst": bursts.bytes = try Self.rate(value, "bps-burst")
            default: throw Self.unknown(word)
            }
        }
        if isPlaceholder, creationSize != nil || cache != .writeback {
            throw Expected("size= and cache= with the disk that svmm disk attach brings, not with none")
        }
        if readOnly, creationSize != nil { throw Expected("size= without ro: a new disk is to be written to") }
        if bursts.requests != nil, requestLimit == nil { throw Expected("iops= with iops-burst=") }
        if bursts.bytes != nil, byteLimit == nil { throw Expected("bps= with bps-burst=") }
        requestLimit?.burst = bursts.requests
        byteLimit?.burst = bursts.bytes
    }

    private static func unknown(_ word: Substring) -> Expected {
        Expected("ro or one of \(words)= after the path, found '\(word)'")
    }

    private static func checkedSerial(_ serial: String) throws(Expected) -> String {
        let isPrintable = serial.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        guard !serial.isEmpty, serial.utf8.count <= maximumSerialLength, isPrintable else {
            throw Expected("a serial of 1 to \(maximumSerialLength) printable ASCII characters")
        }
        return serial
    }

    /// 512 bytes to 8 EiB less one sector, which is what a file's size can be.
    static func size(_ text: String) throws(Expected) -> UInt64 {
        guard let size = bytes(text), size >= 512, size % 512 == 0, size <= UInt64(Int64.max) else {
            throw Expected("a size of 512 bytes or more, a multiple of 512, as a number with K, M, G or T; found '\(text)'")
        }
        return size
    }

    private static func rate(_ text: String, _ key: String) throws(Expected) -> UInt64 {
        guard let rate = bytes(text), (1...(1 << 40)).contains(rate) else {
            throw Expected("\(key)= of 1 to 1T, as a number with K, M, G or T; found '\(text)'")
        }
        return rate
    }

    /// A number with a unit of 1024; nil for anything else.
    private static func bytes(_ text: String) -> UInt64? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let number = UInt64(digits) else { return nil }
        let shift: UInt64
        switch text.dropFirst(digits.count).uppercased() {
        case "": shift = 0
        case "K", "KIB": shift = 10
        case "M", "MIB": shift = 20
        case "G", "GIB": shift = 30
        case "T", "TIB": shift = 40
        default: return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : bytes
    }

    private static func choice<Value>(
        _ text: String, _ key: Substring, _ names: KeyValuePairs<String, Value>
    ) throws(Expected) -> Value {
        for (name, value) in names where name == text { return value }
        throw Expected("\(key)=\(names.map(\.key).joined(separator: "|")), found '\(text)'")
    }
}

extension DiskDescription.Cache {
    fileprivate static var names: KeyValuePairs<String, Self> {
        ["writeback": .writeback, "writethrough": .writethrough, "none": .none]
    }
}

extension DiskDescription.Engine {
    fileprivate static var names: KeyValuePairs<String, Self> {
        ["auto": .automatic, "io_uring": .ioUring, "threads": .threads]
    }
}
