import ArgumentParser
import MachineProtocol

/// `--memory`: bytes, written with a unit.
struct MemorySize: ExpressibleByArgument, CustomStringConvertible {
    var bytes: UInt64

    static let range: ClosedRange<UInt64> = (1 << 20)...(64 << 30)

    init(bytes: UInt64) {
        self.bytes = bytes
    }

    /// nil when it is not a size; the caller's message says what one is.
    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let shift: UInt64
        switch argument.dropFirst(digits.count).uppercased() {
        case "": shift = 0
        case "K", "KIB": shift = 10
        case "M", "MIB": shift = 20
        case "G", "GIB": shift = 30
        default: return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow, Self.range.contains(bytes), bytes % 4096 == 0 else { return nil }
        self.bytes = bytes
    }

    var description: String {
        bytes % (1 << 30) == 0 ? "\(bytes >> 30)G" : bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes >> 10)K"
    }

    var defaultValueDescription: String { description }
}

/// `--disk PATH[,ro][,serial=S]`.
struct DiskOption: ExpressibleByArgument {
    var description: DiskDescription

    init?(argument: String) {
        let words = argument.split(separator: ",", omittingEmptySubsequences: false)
        guard let path = words.first, !path.isEmpty else { return nil }
        description = DiskDescription(path: String(path))
        for word in words.dropFirst() {
            if word == "ro" {
                description.readOnly = true
            } else if word.hasPrefix("serial=") {
                let serial = String(word.dropFirst("serial=".count))
                let isPrintable = serial.utf8.allSatisfy { (0x20...0x7E).contains($0) }
                guard !serial.isEmpty, serial.utf8.count <= DiskDescription.maximumSerialLength, isPrintable else {
                    return nil
                }
                description.serial = serial
            } else {
                return nil
            }
        }
    }
}

/// `--console stdio|file=PATH|unix=PATH|none`.
struct ConsoleOption: ExpressibleByArgument {
    var description: ConsoleDescription

    init(description: ConsoleDescription) {
        self.description = description
    }

    init?(argument: String) {
        func path(after prefix: String) -> String? {
            argument.hasPrefix(prefix) && argument.count > prefix.count ? String(argument.dropFirst(prefix.count)) : nil
        }
        if argument == "stdio" {
            description = .standardIO
        } else if argument == "none" {
            description = .none
        } else if let path = path(after: "file=") {
            description = .file(path)
        } else if let path = path(after: "unix=") {
            description = .unixSocket(path)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { "stdio" }
}

/// `--on-reboot exit|restart`.
enum RebootOption: String, ExpressibleByArgument, CaseIterable {
    case exit, restart

    var value: RebootAction { self == .exit ? .exit : .restart }
}

/// `--protocol auto|linux|pvh`.
enum ProtocolOption: String, ExpressibleByArgument, CaseIterable {
    case auto, linux, pvh

    var value: BootProtocol {
        switch self {
        case .auto: .automatic
        case .linux: .linux
        case .pvh: .pvh
        }
    }
}
