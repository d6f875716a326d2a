import LinuxSystem
import Machine
import MachineProtocol
import Wire

// svmm-vmm --description FD: runs the virtual machine whose description is in the file with this descriptor.
// svmm-vmm --restore-terminal: see TerminalGuardian.
//
// Started by svmm, not by people.

func readDescription(_ argument: String) throws(MachineError) -> MachineDescription {
    guard let raw = Int32(argument), raw > 2 else {
        throw MachineError("--description \(argument): expected the number of an open file", status: ExitStatus.usage)
    }
    let file = FileDescriptor(owning: raw)
    do {
        return try MachineDescription(decoding: try file.prefix(Int(clamping: try file.status().size)))
    } catch {
        throw MachineError("--description \(argument): not a machine description of this version: \(error)", status: ExitStatus.usage)
    }
}

func run() -> Int32 {
    let arguments = CommandLine.arguments
    if arguments.count == 2, arguments[1] == TerminalGuardian.argument {
        TerminalGuardian.run()
        return 0
    }
    guard arguments.count == 3, arguments[1] == "--description" else {
        printErrorLine("svmm-vmm: started by svmm, not by people; see svmm boot --help")
        return ExitStatus.usage
    }
    CurrentProcess.useOneAllocationArena()
    ignoreWriteSignals()
    ignoreTerminalInputStops()
    do throws(MachineError) {
        return try Supervisor(try readDescription(arguments[2])).run()
    } catch {
        printErrorLine("svmm: \(error)")
        return error.status
    }
}

// At once: other threads are still at work, and nothing of theirs needs a farewell.
CurrentProcess.exitNow(run())
