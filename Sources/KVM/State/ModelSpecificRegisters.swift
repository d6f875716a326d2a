import CLinux
import LinuxSystem

/// A model-specific register and what is in it.
public struct ModelSpecificRegister: Equatable, Sendable {
    public var index: UInt32
    public var value: UInt64

    public init(index: UInt32, value: UInt64) {
        self.index = index
        self.value = value
    }

    /// IA32_TSC_DEADLINE: a write arms the timer of a local APIC that is in that mode (Intel SDM 3A, 11.5.4.1).
    public static let deadline: UInt32 = 0x6E0
}

extension KVMSystem {
    /// The registers that make up a guest's state here (KVM_GET_MSR_INDEX_LIST).
    public func modelSpecificRegisterIndices() throws(KVMError) -> [UInt32] {
        let capacity = 4096
        var bytes = [UInt8](repeating: 0, count: 4 + 4 * capacity)
        bytes.store(UInt32(capacity), at: 0)
        try Block.call("KVM_GET_MSR_INDEX_LIST", device.raw, svmm_kvm_get_msr_index_list, &bytes)
        let count = min(Int(bytes.load(UInt32.self, at: 0)), capacity)
        return (0..<count).map { bytes.load(UInt32.self, at: 4 + 4 * $0) }
    }
}

extension VirtualProcessor {
    /// Registers in one call: KVM takes 256 at most.
    private static let batch = 128
    /// struct kvm_msrs without entries, and struct kvm_msr_entry.
    private static let (header, entry) = (8, 16)

    /// What is in the registers. Those that this vCPU does not have are left out (KVM_GET_MSRS).
    public func modelSpecificRegisters(_ indices: [UInt32]) throws(KVMError) -> [ModelSpecificRegister] {
        var found: [ModelSpecificRegister] = []
        var rest = indices[...]
        while !rest.isEmpty {
            let asked = rest.prefix(Self.batch).map { ModelSpecificRegister(index: $0, value: 0) }
            var bytes = Self.table(asked)
            let count = Int(try Block.call("KVM_GET_MSRS", descriptor.raw, svmm_kvm_get_msrs, &bytes))
            for place in 0..<min(count, asked.count) {
                let value = bytes.load(UInt64.self, at: Self.header + Self.entry * place + 8)
                found.append(ModelSpecificRegister(index: asked[place].index, value: value))
            }
            // KVM stops at the first that it cannot read.
            rest = rest.dropFirst(count < asked.count ? count + 1 : asked.count)
        }
        return found
    }

    /// Sets a few registers as (index, value) pairs, at most 128: KVM has to take them all (KVM_SET_MSRS).
    public func setModelSpecificRegisters(_ registers: [(index: UInt32, value: UInt64)]) throws(KVMError) {
        precondition(registers.count <= Self.batch)
        let done = try set(registers.map { ModelSpecificRegister(index: $0.index, value: $0.value) })
        if done < registers.count {
            throw .call("KVM_SET_MSRS of \(hex(UInt64(registers[done].index)))", .invalidArgument)
        }
    }

    /// How many of the registers, from the first on, KVM has taken.
    private func set(_ registers: [ModelSpecificRegister]) throws(KVMError) -> Int {
        var bytes = Self.table(registers)
        return Int(try Block.call("KVM_SET_MSRS", descriptor.raw, svmm_kvm_set_msrs, &bytes))
    }

    /// Sets registers, in this order (KVM_SET_MSRS). One that cannot be set but has the value already is right as it is.
    public func restoreModelSpecificRegisters(_ registers: [ModelSpecificRegister]) throws(KVMError) {
        var rest = registers[...]
        while !rest.isEmpty {
            let wanted = Array(rest.prefix(Self.batch))
            let count = try set(wanted)
            rest = rest.dropFirst(count)
            guard count < wanted.count, let refused = rest.popFirst() else { continue }
            guard try modelSpecificRegisters([refused.index]) == [refused] else {
                throw .state("register \(hex(UInt64(refused.index))): \(hex(refused.value)) cannot be set on this host; it was saved on another processor, or by another kernel")
            }
        }
    }

    private static func table(_ registers: [ModelSpecificRegister]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: header + entry * registers.count)
        bytes.store(UInt32(registers.count), at: 0)
        for (place, register) in registers.enumerated() {
            bytes.store(register.index, at: header + entry * place)
            bytes.store(register.value, at: header + entry * place + 8)
        }
        return bytes
    }
}

extension [UInt8] {
    /// An integer of a structure of the kernel's, in the host's byte order. The offset lies within.
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: Value.self) }
    }
}
