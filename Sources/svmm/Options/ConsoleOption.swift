import CommandSupport
import MachineProtocol

/// `--console WHERE[,device=serial|virtio]`.
struct ConsoleOption: Equatable {
    var place = ConsoleDescription.standardIO
    var model = ConsoleModel.serial

    init() {}

    init(parsing argument: String) throws(Expected) {
        let mark = ",device="
        // The last one: a path may have commas.
        guard let range = argument.ranges(of: mark).last else {
            place = try ConsoleDescription(parsing: argument)
            return
        }
        switch argument[range.upperBound...] {
        case "serial": model = .serial
        case "virtio": model = .virtio
        case let other: throw Expected("device=serial or device=virtio, found 'device=\(other)'")
        }
        place = try ConsoleDescription(parsing: String(argument[..<range.lowerBound]))
        guard place != .none || model == .serial else { throw Expected("no device=virtio with none") }
    }
}

/// `--balloon on|off`.
enum BalloonSwitch {
    static func parse(_ argument: String) throws(Expected) -> Bool {
        switch argument {
        case "on": return true
        case "off": return false
        default: throw Expected("on or off")
        }
    }
}
