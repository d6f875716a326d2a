import ContainerProtocol
import LinuxSystem
import MachineProtocol
import Networks

/// Starts the process of a container.
enum MonitorProcess {
    /// The number of the first descriptor behind those that every monitor gets: networks' TAPs, then the sockets of published ports.
    static let firstInherited: Int32 = 7

    /// Starts the monitor, in a session of its own, with the locked file that tells of its life.
    static func start(
        _ program: String, machine: MachineDescription, container: ContainerDescription, lock: consuming FileDescriptor,
        paths: ContainerPaths, networks: AttachedNetworks = AttachedNetworks()
    ) throws(ContainerError) -> ContainerRuntime.Launched {
        // The error of a file is not the program's.
        let log = try onFile(paths.monitorLog) { () throws(Errno) in
            try FileDescriptor.open(paths.monitorLog, [.writeOnly, .create, .truncate, .append])
        }
        let nothing = try onFile("/dev/null") { () throws(Errno) in try FileDescriptor.open("/dev/null", .readOnly) }
        do throws(Errno) {
            let machineFile = try memoryFile("svmm machine description", machine.encoded())
            let containerFile = try memoryFile("svmm container description", container.encoded)
            let pair = try SocketPair(.stream)
            let identifier = try CurrentProcess.spawnDetached(
                program,
                arguments: ["svmm-vmm", "--description", "3", "--container", "4", "--client", "5", "--lock", "6"]
                    + (networks.ports.isEmpty ? [] : ["--ports", "\(firstInherited + Int32(networks.taps.count))"]),
                descriptors: [nothing.raw, log.raw, log.raw, machineFile.raw, containerFile.raw, pair.second.raw, lock.raw]
                    + networks.taps + networks.sockets)
            // The monitor's from here on.
            withExtendedLifetime(networks) {}
            _ = try? Thread(name: "reaper") { waitForProcess(identifier) }
            return ContainerRuntime.Launched(
                connection: MonitorConnection(pair.takeFirst(), container: container.name, log: paths.monitorLog), identifier: identifier)
        } catch {
            throw .failed("\(program): \(error)")
        }
    }

    /// Has the monitor make a machine's template, and waits for its end.
    ///
    /// - Parameter taps: of its interfaces; the first one's descriptor is 4.
    static func makeTemplate(_ program: String, machine: MachineDescription, taps: [HostTap] = []) throws(ContainerError) {
        let status: Int32
        let said: [UInt8]
        do throws(Errno) {
            let nothing = try FileDescriptor.open("/dev/null", .readOnly)
            let machineFile = try memoryFile("svmm machine description", machine.encoded())
            let words = try FileDescriptor.anonymousFile(name: "what a monitor says")
            status = waitForProcess(try CurrentProcess.spawnDetached(
                program, arguments: ["svmm-vmm", "--description", "3"], descriptors: [nothing.raw, words.raw, words.raw, machineFile.raw] + taps.map { $0.file.raw }))
            said = try words.prefix(64 << 10)
        } catch {
            throw .failed("\(program): \(error)")
        }
        guard status != 0 else { return }
        let lines = String(decoding: said, as: UTF8.self).split(separator: "\n").map { $0.hasPrefix("svmm: ") ? $0.dropFirst(6) : $0 }
        // The first says what went wrong first.
        throw .failed("no template is made: \(lines.first ?? "\(program) ended with status \(status)")")
    }

    private static func memoryFile(_ name: String, _ bytes: [UInt8]) throws(Errno) -> FileDescriptor {
        let file = try FileDescriptor.anonymousFile(name: name)
        guard bytes.withUnsafeBytes({ writeWhatFits(file.raw, $0) }) == bytes.count else { throw .current }
        return file
    }
}
