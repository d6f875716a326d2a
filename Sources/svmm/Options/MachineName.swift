import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

/// What a machine is called, and where its state directory is.
enum MachineName {
    /// `--name`: what can be a file name everywhere, and a host name.
    static func check(_ name: String) throws(Expected) -> String {
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                 UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isPlain, (1...63).contains(name.utf8.count), name.utf8.first != UInt8(ascii: "."),
              name.utf8.first != UInt8(ascii: "-") else {
            throw Expected("1 to 63 letters, digits, dots, dashes and underscores, the first no dot or dash")
        }
        return name
    }

    /// `--state`, or what a command is given as VM: a path where it has a slash, a name otherwise.
    static func directory(_ machine: String) throws(Expected) -> String {
        if machine.contains("/") { return machine.utf8.count > 1 && machine.hasSuffix("/") ? String(machine.dropLast()) : machine }
        return runtimeDirectory + "/" + (try check(machine))
    }

    /// As `directory`, for a machine that runs: where none has the name, it may be a container's id, as svmm ps shows it.
    static func runningDirectory(_ machine: String, in runtime: String = runtimeDirectory) throws(Expected) -> String {
        let socket = "/" + StateFiles.control
        if machine.hasSuffix(socket), machine.utf8.count > socket.utf8.count { return String(machine.dropLast(socket.count)) }
        guard !machine.contains("/") else { return try directory(machine) }
        let own = runtime + "/" + (try check(machine))
        let container = containers(in: runtime) + "/" + machine
        return !hasControl(own) && hasControl(container) ? container : own
    }

    private static func hasControl(_ directory: String) -> Bool {
        (try? fileStatus(at: directory + "/" + StateFiles.control)) != nil
    }

    /// Where containers' machines have their state directories: as `ContainerRuntime.defaultRuntimeDirectory` of the engine.
    static func containers(in runtime: String) -> String { runtime + "/containers" }

    /// `--state` of a machine to be started: absolute.
    static func stateDirectory(option: String) throws -> String {
        guard !option.isEmpty else { throw ValidationError("--state: expected a directory, found nothing") }
        return try absolutePath(option.utf8.count > 1 && option.hasSuffix("/") ? String(option.dropLast()) : option)
    }

    /// The name of a machine that got none.
    static var automatic: String { "vm-\(CurrentProcess.identifier)" }

    /// Where the state directories of named machines are: /run/svmm for root, $XDG_RUNTIME_DIR/svmm or /tmp/svmm-UID for others.
    static var runtimeDirectory: String {
        let user = CurrentProcess.user
        if user == 0 { return "/run/svmm" }
        if let directory = CurrentProcess.variable("XDG_RUNTIME_DIR"), directory.hasPrefix("/") { return directory + "/svmm" }
        return "/tmp/svmm-\(user)"
    }
}
