import CLinux
import LinuxSystem

/// Reads and writes the kernel's structures as bytes: what they mean is KVM's own business, which gets them back as it gave them.
struct Block {
    /// The ioctl's name without KVM_GET_ or KVM_SET_.
    let name: String
    let read: UInt
    let write: UInt
    /// Bytes.
    let count: Int

    func get(_ descriptor: borrowing FileDescriptor) throws(KVMError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try get(descriptor, into: &bytes)
        return bytes
    }

    /// For structures that say themselves which of several is asked for.
    func get(_ descriptor: borrowing FileDescriptor, into bytes: inout [UInt8]) throws(KVMError) {
        try Self.call("KVM_GET_\(name)", descriptor.raw, read, &bytes)
    }

    func set(_ descriptor: borrowing FileDescriptor, _ bytes: [UInt8]) throws(KVMError) {
        guard bytes.count == count else {
            throw .state("state of \(name): \(bytes.count) bytes, expected \(count) on this host; it was saved by another kernel or on another processor")
        }
        var bytes = bytes
        try Self.call("KVM_SET_\(name)", descriptor.raw, write, &bytes)
    }

    /// An ioctl with bytes; returns its result.
    @discardableResult
    static func call(_ name: String, _ raw: Int32, _ request: UInt, _ bytes: inout [UInt8]) throws(KVMError) -> Int32 {
        let result = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(KVMError) in try kvmCall(name) { svmm_ioctl_pointer(raw, request, buffer.baseAddress) } }
        }
        return try result.get()
    }
}
