import CommandSupport
import MachineProtocol

/// `--memory`: bytes, written with a unit.
struct MemorySize: CustomStringConvertible {
    let bytes: UInt64

    init(bytes: UInt64) {
        self.bytes = bytes
    }

    init(parsing argument: String) throws(Expected) {
        let expected = Expected("1M to 64G in whole pages of 4096 bytes, as a number with K, M, G, KiB, MiB or GiB")
        let digits = argument.prefix { ("0"..."9").contains($0) }
        guard let number = UInt64(digits) else { throw expected }
        let unit: UInt64
        switch argument.dropFirst(digits.count).uppercased() {
        case "": unit = 1
        case "K", "KIB": unit = 1 << 10
        case "M", "MIB": unit = 1 << 20
        case "G", "GIB": unit = 1 << 30
        default: throw expected
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, MachineDescription.memorySizes.contains(bytes), bytes % MachineDescription.pageSize == 0 else { throw expected }
        self.bytes = bytes
    }

    var description: String {
        bytes % (1 << 30) == 0 ? "\(bytes >> 30)G" : bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes >> 10)K"
    }
}

extension ConsoleDescription {
    /// `--console stdio|file=PATH|unix=PATH|none`.
    init(parsing argument: String) throws(Expected) {
        func path(after prefix: String) -> String? {
            argument.hasPrefix(prefix) && argument.utf8.count > prefix.utf8.count
                ? String(argument.dropFirst(prefix.count)) : nil
        }
        if argument == "stdio" {
            self = .standardIO
        } else if argument == "none" {
            self = .none
        } else if let path = path(after: "file=") {
            self = .file(path)
        } else if let path = path(after: "unix=") {
            self = .unixSocket(path)
        } else {
            throw Expected("stdio, file=PATH, unix=PATH or none")
        }
    }
}

extension RebootAction {
    /// `--on-reboot exit|restart`.
    init(parsing argument: String) throws(Expected) {
        switch argument {
        case "exit": self = .exit
        case "restart": self = .restart
        default: throw Expected("exit or restart")
        }
    }
}

extension BootProtocol {
    /// `--protocol auto|linux|pvh`.
    init(parsing argument: String) throws(Expected) {
        switch argument {
        case "auto": self = .automatic
        case "linux": self = .linux
        case "pvh": self = .pvh
        default: throw Expected("auto, linux or pvh")
        }
    }
}
