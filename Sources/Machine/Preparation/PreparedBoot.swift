import Boot
import GuestMemory
import LinuxSystem
import MachineProtocol

/// What a machine boots from: opened, checked, and planned into its memory.
final class PreparedBoot {
    let kernel: KernelFile
    let initrd: InitrdFile?
    let loader: BootLoader

    init(_ description: MachineDescription, _ layout: RAMLayout) throws(MachineError) {
        let kernel = try Self.openKernel(description)
        let initrd = try description.initrd.map { (path) throws(MachineError) in try Self.openInitrd(path) }
        loader = try Self.plan(description, layout, kernel.plan, initrd?.size)
        self.kernel = kernel
        self.initrd = initrd
    }

    /// Puts kernel, initrd and parameters into memory; how the boot processor begins.
    func load(into memory: GuestMemory, seed: [UInt8], rsdp: UInt64) throws(BootError) -> EntryState {
        try loader.load(kernel: kernel, initrdFile: initrd, into: memory, seed: seed, rsdp: rsdp)
    }

    private static func openFile(_ path: String, option: String) throws(MachineError) -> FileDescriptor {
        do throws(Errno) {
            // Non-blocking, so that a FIFO is refused later and not waited for.
            return try FileDescriptor.open(path, [.readOnly, .nonBlocking])
        } catch {
            throw MachineError("\(option) \(path): \(error)")
        }
    }

    private static func openInitrd(_ path: String) throws(MachineError) -> InitrdFile {
        let file = try openFile(path, option: "--initrd")
        do throws(BootError) {
            return try InitrdFile(file)
        } catch {
            throw MachineError("--initrd \(path): \(error)")
        }
    }

    private static func openKernel(_ description: MachineDescription) throws(MachineError) -> KernelFile {
        let file = try openFile(description.kernel, option: "--kernel")
        let choice: EntryChoice = switch description.bootProtocol {
        case .automatic: .automatic
        case .linux: .linux
        case .pvh: .pvh
        }
        do throws(BootError) {
            return try KernelFile(file, choice: choice)
        } catch {
            throw MachineError("--kernel \(description.kernel): \(error)")
        }
    }

    private static func plan(
        _ description: MachineDescription, _ layout: RAMLayout, _ plan: KernelPlan, _ initrdSize: UInt64?
    ) throws(MachineError) -> BootLoader {
        do throws(BootError) {
            return try BootLoader(layout: layout, plan: plan, initrdSize: initrdSize,
                                  commandLine: KernelCommandLine.make(description))
        } catch {
            let option = switch error {
            case .initrdEmpty, .initrdTooLarge: "--initrd \(description.initrd ?? "")"
            case .commandLineTooLong: "--cmdline"
            default: "--kernel \(description.kernel)"
            }
            throw MachineError("\(option): \(error)")
        }
    }
}
