import LinuxSystem
import Virtio

/// To the guest: replies, and what the host's sockets hold.
extension VsockEngine {
    /// Bytes that one connection may send before it is the next one's turn.
    private static let turn = 128 << 10
    /// The largest payload of one packet: what Linux sends and takes (VIRTIO_VSOCK_MAX_PKT_BUF_SIZE).
    private static let payloadLimit = 64 << 10

    /// Fills the guest's buffers, at most one ring of them.
    func sendPackets(_ guest: GuestQueues) throws(QueueError) {
        var left = Int(guest.rx.size)
        while let reset = guest.resets.first, left > 0, try guest.takeBuffer(guest.chain) {
            guest.push(reset, in: guest.chain)
            guest.resets.removeFirst()
            left -= 1
        }
        while left > 0, !guest.isStarved, let connection = ready.first {
            let used = try serve(connection, guest)
            left -= max(used, 1)
            // Who got nothing keeps the place, and nobody else does: else a busy connection would have every buffer.
            if guest.isStarved, used == 0 { break }
            connection.readyNode.leave()
            noteReady(connection)
            // The guest can begin while the rest is on its way.
            if used >= GuestQueues.windowLimit { guest.notify() }
        }
    }

    /// One connection's turn; returns the buffers used.
    private func serve(_ connection: VsockConnection, _ guest: GuestQueues) throws(QueueError) -> Int {
        if connection.state == .resetting {
            guard try send(VsockOperation.reset, of: connection, guest) else { return 0 }
            close(connection)
            return 1
        }
        var used = 0
        if connection.replies.contains(.request) {
            guard try send(VsockOperation.request, of: connection, guest) else { return used }
            connection.replies.remove(.request)
            used += 1
        }
        if connection.replies.contains(.response) {
            guard try send(VsockOperation.response, of: connection, guest) else { return used }
            connection.replies.remove(.response)
            used += 1
        }
        if connection.canRead { used += try sendData(of: connection, guest) }
        let due = connection.dueShutdown
        if due != connection.toldShutdown {
            guard try send(VsockOperation.shutdown, of: connection, guest, flags: due.rawValue) else { return used }
            used += 1
            connection.toldShutdown = due
            if due == .both { startClosing(connection) }
        }
        // Any packet tells the guest its credit; this one is for when there was no other.
        if connection.replies.contains(.creditUpdate) {
            guard try send(VsockOperation.creditUpdate, of: connection, guest) else { return used }
            used += 1
        }
        return used
    }

    /// False when the guest has no buffer.
    private func send(
        _ operation: UInt16, of connection: VsockConnection, _ guest: GuestQueues, flags: UInt32 = 0
    ) throws(QueueError) -> Bool {
        guard try guest.takeBuffer(guest.chain) else { return false }
        var packet = header(operation, connection)
        packet.flags = flags
        guest.push(packet, in: guest.chain)
        return true
    }

    @inline(__always)
    private func header(_ operation: UInt16, _ connection: VsockConnection) -> VsockPacket {
        var packet = VsockPacket()
        packet.sourceCID = VsockPacket.hostCID
        packet.destinationCID = guestCID
        packet.sourcePort = connection.hostPort
        packet.destinationPort = connection.guestPort
        packet.operation = operation
        packet.bufferAllocation = UInt32(connection.buffer.capacity)
        packet.forwardedCount = connection.forwardedCount
        connection.announcedCount = connection.forwardedCount
        connection.replies.remove(.creditUpdate)
        return packet
    }

    /// Reads from the host socket straight into the guest's buffers, behind room for their headers; returns the buffers used.
    private func sendData(of connection: VsockConnection, _ guest: GuestQueues) throws(QueueError) -> Int {
        let limit = min(connection.credit, Self.turn)
        guest.vectors.removeAll()
        var taken = 0
        while taken < connection.window, guest.vectors.byteCount < limit,
              guest.vectors.count + Int(guest.rx.size) <= GuestQueues.vectorCapacity,
              try guest.takeBuffer(guest.chains[taken]) {
            let room = min(Self.room(guest.chains[taken]), limit - guest.vectors.byteCount)
            _ = guest.chains[taken].gather(writable: true, from: VsockPacket.headerSize, count: room, into: &guest.vectors)
            taken += 1
        }
        guard taken > 0 else { return 0 }
        let wanted = guest.vectors.byteCount
        let count = receive(connection, guest)
        let used = fill(count, of: connection, guest)
        guest.rx.putBack(UInt16(taken - used))
        connection.window = count == wanted ? min(2 * connection.window, GuestQueues.windowLimit) : max(used, 1)
        return used
    }

    private static func room(_ chain: DescriptorChain) -> Int {
        min(chain.writableCount - VsockPacket.headerSize, payloadLimit)
    }

    /// Reads into `guest.vectors`, and notes how the host's stream stands.
    private func receive(_ connection: VsockConnection, _ guest: GuestQueues) -> Int {
        do throws(Errno) {
            guard let received = try connection.socket?.receive(into: guest.vectors) else {
                connection.isReadable = false
                return 0
            }
            if received.isDrained, !connection.mayHaveEnded { connection.isReadable = false }
            if received.count == 0 { connection.hostHasEnded = true }
            return received.count
        } catch {
            connection.hostHasEnded = true
            hostStopsListening(connection)
            return 0
        }
    }

    /// Puts headers before `count` bytes in `guest.chains` and gives these to the guest; returns how many.
    private func fill(_ count: Int, of connection: VsockConnection, _ guest: GuestQueues) -> Int {
        var left = count
        var used = 0
        var packet = header(VsockOperation.data, connection)
        while left > 0 {
            let length = min(Self.room(guest.chains[used]), left)
            packet.length = UInt32(length)
            guest.push(packet, in: guest.chains[used])
            left -= length
            used += 1
        }
        connection.noteSent(count)
        return used
    }
}
