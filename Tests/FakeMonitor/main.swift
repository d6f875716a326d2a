import LinuxSystem

// Stands for svmm-vmm in tests of the engine: speaks its protocols, and has no machine. What a container's process does is said by its
// command: see `FakeProcess`.

guard let arguments = FakeArguments(CommandLine.arguments.dropFirst()) else {
    printErrorLine("svmm: fake monitor: unexpected arguments \(CommandLine.arguments.dropFirst())")
    CurrentProcess.exitNow(2)
}
ignoreWriteSignals()
let monitor = try FakeMonitor(arguments)
monitor.run()
