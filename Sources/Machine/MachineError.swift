import MachineProtocol

/// Why a machine did not start, or did not go on: one line for the user, and the exit status.
public struct MachineError: Error, Equatable, CustomStringConvertible {
    public let description: String
    public let status: Int32
    /// Whether a snapshot is to blame, which another attempt would not make better.
    let concernsSnapshot: Bool

    public init(_ description: String, status: Int32 = ExitStatus.failure) {
        self.init(description, status: status, concernsSnapshot: false)
    }

    init(_ description: String, status: Int32 = ExitStatus.failure, concernsSnapshot: Bool) {
        self.description = description
        self.status = status
        self.concernsSnapshot = concernsSnapshot
    }
}

/// How a machine ended.
public enum MachineOutcome: Equatable, Sendable {
    case poweredOff
    case rebooted
    /// A kernel panic that the guest reported.
    case panicked
    case tripleFault
    case kvmError(String)

    public var status: Int32 {
        switch self {
        case .poweredOff: ExitStatus.poweredOff
        case .rebooted: ExitStatus.rebooted
        case .panicked, .tripleFault: ExitStatus.crashed
        case .kvmError: ExitStatus.kvmError
        }
    }

    public var message: String {
        switch self {
        case .poweredOff: "the guest powered off"
        case .rebooted: "the guest rebooted"
        case .panicked: "the guest's kernel panicked"
        case .tripleFault: "the guest crashed: triple fault"
        case .kvmError(let text): text
        }
    }
}
