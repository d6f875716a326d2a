import CLinux
import Glibc

/// An open vhost device (linux/vhost.h): virtio queues that the kernel serves. What it is called on must not run meanwhile.
public struct VhostFile: ~Copyable, Sendable {
    private let file: FileDescriptor

    /// Takes the device for this process's memory. The corresponding ioctl is `VHOST_SET_OWNER`.
    public init(_ file: consuming FileDescriptor) throws(Errno) {
        self.file = file
        _ = try once { svmm_ioctl_value(self.file.raw, svmm_vhost_set_owner, 0) }
    }

    /// Virtio feature bits that the kernel can serve. The corresponding ioctl is `VHOST_GET_FEATURES`.
    public func features() throws(Errno) -> UInt64 {
        var features: UInt64 = 0
        _ = try call(svmm_vhost_get_features, &features)
        return features
    }

    /// The corresponding ioctl is `VHOST_SET_FEATURES`.
    public func setFeatures(_ features: UInt64) throws(Errno) {
        var features = features
        try call(svmm_vhost_set_features, &features)
    }

    /// A range of guest memory and where this process has it.
    public struct Region {
        let guestAddress: UInt64
        let count: UInt64
        let host: UnsafeMutableRawPointer

        public init(guestAddress: UInt64, count: UInt64, host: UnsafeMutableRawPointer) {
            self.guestAddress = guestAddress
            self.count = count
            self.host = host
        }
    }

    /// The only memory that the kernel touches for descriptors; at most two regions. The corresponding ioctl is
    /// `VHOST_SET_MEM_TABLE`.
    public func setMemory(_ regions: [Region]) throws(Errno) {
        guard regions.count <= Int(SVMM_VHOST_REGION_CAPACITY) else { throw .invalidArgument }
        var table = svmm_vhost_memory()
        table.nregions = UInt32(regions.count)
        for (index, region) in regions.enumerated() {
            svmm_vhost_regions(&table)[index] = vhost_memory_region(
                guest_phys_addr: region.guestAddress, memory_size: region.count,
                userspace_addr: UInt64(UInt(bitPattern: region.host)), flags_padding: 0)
        }
        try call(svmm_vhost_set_mem_table, &table)
    }

    /// A queue whose rings were checked: addresses of this process, and the events that start and report its work.
    public struct Queue {
        let size: UInt16
        let table: UnsafeMutableRawPointer
        let available: UnsafeMutableRawPointer
        let used: UnsafeMutableRawPointer
        let base: UInt16
        let kick: Int32
        let call: Int32

        /// - Parameter base: the first entry of the available ring that nobody has taken yet.
        public init(
            size: UInt16, table: UnsafeMutableRawPointer, available: UnsafeMutableRawPointer, used: UnsafeMutableRawPointer,
            base: UInt16, kick: Int32, call: Int32
        ) {
            (self.size, self.table, self.available, self.used) = (size, table, available, used)
            (self.base, self.kick, self.call) = (base, kick, call)
        }
    }

    /// Sets a queue up. The corresponding ioctls are `VHOST_SET_VRING_NUM`, `_BASE`, `_ADDR`, `_KICK` and
    /// `_CALL`.
    public func setQueue(_ index: UInt32, _ queue: Queue) throws(Errno) {
        var state = vhost_vring_state(index: index, num: UInt32(queue.size))
        try call(svmm_vhost_set_vring_num, &state)
        state.num = UInt32(queue.base)
        try call(svmm_vhost_set_vring_base, &state)
        func word(_ pointer: UnsafeMutableRawPointer) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }
        var address = vhost_vring_addr(
            index: index, flags: 0, desc_user_addr: word(queue.table), used_user_addr: word(queue.used),
            avail_user_addr: word(queue.available), log_guest_addr: 0)
        try call(svmm_vhost_set_vring_addr, &address)
        var event = vhost_vring_file(index: index, fd: queue.kick)
        try call(svmm_vhost_set_vring_kick, &event)
        event.fd = queue.call
        try call(svmm_vhost_set_vring_call, &event)
    }

    /// The first entry of a queue's available ring that the kernel has not taken; it does not serve the queue any more. The
    /// corresponding ioctl is `VHOST_GET_VRING_BASE`.
    public func base(of index: UInt32) throws(Errno) -> UInt16 {
        var state = vhost_vring_state(index: index, num: 0)
        try call(svmm_vhost_get_vring_base, &state)
        return UInt16(truncatingIfNeeded: state.num)
    }

    /// Of vhost-vsock: the guest's address; throws `.addressInUse` when another has it. The corresponding ioctl is
    /// `VHOST_VSOCK_SET_GUEST_CID`.
    public func setContextID(_ id: UInt32) throws(Errno) {
        var id = UInt64(id)
        try call(svmm_vhost_vsock_set_guest_cid, &id)
    }

    /// Of vhost-vsock: begins to serve the queues, until `stop` or until the file is closed. The corresponding ioctl is
    /// `VHOST_VSOCK_SET_RUNNING`.
    public func start() throws(Errno) {
        var isRunning: Int32 = 1
        try call(svmm_vhost_vsock_set_running, &isRunning)
    }

    /// Of vhost-vsock: no longer serves the queues, and keeps connections. The corresponding ioctl is `VHOST_VSOCK_SET_RUNNING`.
    public func stop() throws(Errno) {
        var isRunning: Int32 = 0
        try call(svmm_vhost_vsock_set_running, &isRunning)
    }

    /// Of vhost-net: has the kernel serve a queue from and to this TAP or socket, borrowed; nil: no longer. When it returns, the
    /// queue is not touched any more. The corresponding ioctl is `VHOST_NET_SET_BACKEND`.
    public func setBackend(_ index: UInt32, _ descriptor: Int32?) throws(Errno) {
        var file = vhost_vring_file(index: index, fd: descriptor ?? -1)
        try call(svmm_vhost_net_set_backend, &file)
    }

    private func call<Value>(_ request: UInt, _ value: inout Value) throws(Errno) {
        _ = try retryingInterrupts { withUnsafeMutablePointer(to: &value) { svmm_ioctl_pointer(file.raw, request, $0) } }
    }
}
