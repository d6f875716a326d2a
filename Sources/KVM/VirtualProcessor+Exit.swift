import CLinux
import LinuxSystem

/// Why the guest stopped running (exit_reason of struct kvm_run).
public enum ProcessorExit {
    case portRead(PortAccess)
    case portWrite(PortAccess)
    case mmioRead(MMIOAccess)
    case mmioWrite(MMIOAccess)
    /// A signal or `requestExit`.
    case interrupted
    /// HLT without an in-kernel interrupt controller to wait for: does not happen with svmm's machines.
    case halted
    /// Triple fault.
    case shutdown
    /// KVM_SYSTEM_EVENT_*: 1 shutdown, 2 reset, 3 crash.
    case systemEvent(UInt32)
    /// The processor refused the state it was given.
    case failedEntry(reason: UInt64)
    /// KVM gave up.
    case internalError(InternalError)
    /// A kind of exit that svmm's machines do not cause.
    case unknown(UInt32)
}

/// Port I/O: `count` items of `size` bytes each, in the shared area.
public struct PortAccess {
    public let port: UInt16
    /// 1, 2 or 4.
    public let size: Int
    /// More than 1 for string instructions (rep ins, rep outs).
    public let count: Int
    private let data: UnsafeMutableRawPointer

    init(_ run: UnsafeMutablePointer<kvm_run>) {
        port = svmm_run_io_port(run)
        size = Int(svmm_run_io_size(run))
        count = Int(svmm_run_io_count(run))
        data = UnsafeMutableRawPointer(run) + Int(svmm_run_io_data_offset(run))
    }

    /// The item that the guest writes, zero-extended.
    public func value(_ index: Int) -> UInt32 {
        let item = data + index * size
        return switch size {
        case 1: UInt32(item.load(as: UInt8.self))
        case 2: UInt32(item.loadUnaligned(as: UInt16.self))
        default: item.loadUnaligned(as: UInt32.self)
        }
    }

    /// Answers a read.
    public func setValue(_ index: Int, _ value: UInt32) {
        let item = data + index * size
        switch size {
        case 1: item.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 2: item.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        default: item.storeBytes(of: value, as: UInt32.self)
        }
    }
}

/// An access to a guest-physical address that no memory slot covers.
public struct MMIOAccess {
    public let address: UInt64
    /// 1 to 8 bytes.
    public let size: Int
    private let data: UnsafeMutablePointer<UInt8>

    init(_ run: UnsafeMutablePointer<kvm_run>) {
        address = svmm_run_mmio_address(run)
        size = min(Int(svmm_run_mmio_length(run)), 8)
        data = svmm_run_mmio_data(run)
    }

    /// What the guest writes, little-endian, zero-extended.
    public var value: UInt64 {
        var value: UInt64 = 0
        for index in 0..<size { value |= UInt64(data[index]) << UInt64(8 * index) }
        return value
    }

    /// Answers a read.
    public func setValue(_ value: UInt64) {
        for index in 0..<size { data[index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
}

/// KVM_EXIT_INTERNAL_ERROR, with where the guest stood.
public struct InternalError: Sendable {
    /// 1 is "emulation failure".
    public let suberror: UInt32
    public let instructionPointer: UInt64
    /// The bytes KVM could not emulate, when it says so.
    public let instructionBytes: [UInt8]

    public static let emulationFailure: UInt32 = 1
}

extension VirtualProcessor {
    /// Runs the guest until it needs the monitor (KVM_RUN). A previous read exit must have been answered before.
    public func runGuest() throws(KVMError) -> ProcessorExit {
        if svmm_ioctl_value(descriptor.raw, UInt(SVMM_KVM_RUN.rawValue), 0) == -1 {
            let error = Errno.current
            if error == .interrupted || error == .again { return .interrupted }
            throw .call("KVM_RUN", error)
        }
        switch Int32(svmm_run_exit_reason(run)) {
        case KVM_EXIT_IO:
            let access = PortAccess(run)
            return svmm_run_io_direction(run) == UInt8(KVM_EXIT_IO_OUT) ? .portWrite(access) : .portRead(access)
        case KVM_EXIT_MMIO:
            let access = MMIOAccess(run)
            return svmm_run_mmio_is_write(run) != 0 ? .mmioWrite(access) : .mmioRead(access)
        case KVM_EXIT_INTR: return .interrupted
        case KVM_EXIT_HLT: return .halted
        case KVM_EXIT_SHUTDOWN: return .shutdown
        case KVM_EXIT_SYSTEM_EVENT: return .systemEvent(svmm_run_system_event(run))
        case KVM_EXIT_FAIL_ENTRY: return .failedEntry(reason: svmm_run_fail_entry_reason(run))
        case KVM_EXIT_INTERNAL_ERROR: return .internalError(describeInternalError())
        case let reason: return .unknown(UInt32(reason))
        }
    }

    private func describeInternalError() -> InternalError {
        let suberror = svmm_run_internal_suberror(run)
        var registers = kvm_regs()
        // Best effort: this is for a message about a VM that is lost already.
        _ = svmm_ioctl_pointer(descriptor.raw, svmm_kvm_get_regs, &registers)
        var bytes: [UInt8] = []
        // emulation_failure of struct kvm_run: flags, then (flag bit 0) insn_size and up to 15 insn_bytes, in data[1...].
        if suberror == InternalError.emulationFailure, svmm_run_internal_ndata(run) >= 3,
           svmm_run_internal_data(run, 0) & 1 != 0 {
            let words = [1, 2].map { svmm_run_internal_data(run, $0) }
            let area = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
            bytes = Array(area[1...].prefix(Int(min(area[0], 15))))
        }
        return InternalError(suberror: suberror, instructionPointer: registers.rip, instructionBytes: bytes)
    }
}
