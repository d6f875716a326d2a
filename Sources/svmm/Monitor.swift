import ArgumentParser
import LinuxSystem
import MachineProtocol

/// The program that runs one virtual machine, `svmm-vmm`.
enum Monitor {
    private static let name = "svmm-vmm"

    /// Becomes the monitor of this machine: same process, so signals, terminal and exit status are the caller's.
    static func execute(_ description: MachineDescription) throws {
        do throws(Errno) {
            let file = try FileDescriptor.anonymousFile(name: "svmm machine description")
            try write(description.encoded(), to: file)
            // At 3 or above, also where the caller has closed the first three.
            let inherited = try file.duplicate()
            try inherited.setInheritable()
            try execute(description: inherited.release())
        } catch {
            printErrorLine("svmm: \(name): \(error); it is installed beside svmm or in ../libexec/svmm")
            throw ExitCode(ExitStatus.failure)
        }
    }

    private static func write(_ bytes: [UInt8], to file: borrowing FileDescriptor) throws(Errno) {
        guard bytes.withUnsafeBytes({ (try? file.writeAll($0)) != nil }) else { throw .ioError }
    }

    private static func execute(description raw: Int32) throws(Errno) -> Never {
        try Parts.become(name, arguments: ["--description", String(raw)])
    }
}

/// svmm's other programs.
enum Parts {
    /// Becomes one of them: installed beside svmm, or in ../libexec/svmm.
    static func become(_ name: String, arguments: [String]) throws(Errno) -> Never {
        let own = try CurrentProcess.executablePath()
        let folder = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? "."
        do throws(Errno) {
            try CurrentProcess.execute("\(folder)/\(name)", arguments: [name] + arguments)
        } catch {
            guard error == .noEntry else { throw error }
        }
        try CurrentProcess.execute("\(folder)/../libexec/svmm/\(name)", arguments: [name] + arguments)
    }
}
