import LinuxSystem
import Machine
import MachineProtocol

// svmm-vmm --description FD: runs the virtual machine whose description is in the file with this descriptor.
//     --container FD [--client FD] [--lock FD]: as the monitor of a container, see Container.
// svmm-vmm --restore-terminal: see TerminalGuardian.
//
// Started by svmm, not by people.

func run() -> Int32 {
    let words = CommandLine.arguments
    if words.count == 2, words[1] == TerminalGuardian.argument {
        TerminalGuardian.run()
        return 0
    }
    guard let arguments = Arguments(words.dropFirst()) else {
        printErrorLine("svmm-vmm: started by svmm, not by people; see svmm boot --help")
        return ExitStatus.usage
    }
    CurrentProcess.useOneAllocationArena()
    ignoreWriteSignals()
    ignoreTerminalInputStops()
    do throws(MachineError) {
        let description = try arguments.readMachine()
        guard let container = arguments.container else { return try Supervisor(description).run() }
        return try Container.run(description, Arguments.readContainer(container), arguments)
    } catch {
        printErrorLine("svmm: \(error)")
        return error.status
    }
}

// At once: other threads are still at work, and nothing of theirs needs a farewell.
CurrentProcess.exitNow(run())
