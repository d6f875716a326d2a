import LinuxSystem
import Machine
import MachineProtocol

// svmm-vmm --description FD: runs the virtual machine whose description is in the file with this descriptor.
//     --container FD [--client FD] [--lock FD] [--ports FD]: as the monitor of a container, see Container; without it, where a template is described,
//     to make that, see Template.
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
        if let container = arguments.container { return try Container.run(description, Arguments.readContainer(container), arguments) }
        if let template = description.template { return try Template.make(template, description) }
        return try Supervisor(description).run()
    } catch {
        printErrorLine("svmm: \(error)")
        return error.status
    }
}

// At once: other threads are still at work, and nothing of theirs needs a farewell.
CurrentProcess.exitNow(run())
