import LinuxSystem
import Virtio

/// From the guest: its packets, and what they do.
extension VsockEngine {
    /// Takes what the tx queue holds, at most one ring of it.
    func receivePackets(_ guest: GuestQueues) throws(QueueError) {
        guest.tx.disableKicks()
        var left = guest.tx.size
        while left > 0, guest.resets.hasRoom {
            guard try guest.tx.next(guest.chain) else {
                deliverBatch(guest)
                guest.mayHavePackets = guest.tx.enableKicks()
                return
            }
            left -= 1
            receive(guest)
        }
        deliverBatch(guest)
    }

    /// Takes the packet in `guest.chain`.
    private func receive(_ guest: GuestQueues) {
        let chain = guest.chain
        // Too short to have a sender who could be told; not from this guest: nobody's.
        guard let packet = VsockPacket(chain), packet.sourceCID == guestCID else {
            deliverBatch(guest)
            return guest.release(head: chain.head)
        }
        let connection = packet.destinationCID == VsockPacket.hostCID && packet.type == VsockPacket.stream
            ? find(packet, guest) : nil
        if let connection, packet.operation == VsockOperation.data, connection.state == .established,
           !connection.guestShutdown.contains(.sending), collect(packet, chain, connection, guest) { return }
        // Everything before this packet comes before it on the host's side too.
        deliverBatch(guest)
        if let connection, connection.state != .closed {
            handle(packet, connection, guest)
        } else if packet.operation == VsockOperation.request, packet.destinationCID == VsockPacket.hostCID,
                  packet.type == VsockPacket.stream {
            dial(packet, guest)
        } else if packet.operation != VsockOperation.reset {
            guest.resets.append(answering: packet)
        }
        guest.release(head: chain.head)
    }

    @inline(__always)
    private func find(_ packet: VsockPacket, _ guest: GuestQueues) -> VsockConnection? {
        if let last = guest.batch.connection, last.hostPort == packet.destinationPort, last.guestPort == packet.sourcePort {
            return last
        }
        return table[VsockConnection.key(hostPort: packet.destinationPort, guestPort: packet.sourcePort)]
    }

    /// Adds a packet with data to the batch; false when it breaks the rules.
    private func collect(
        _ packet: VsockPacket, _ chain: DescriptorChain, _ connection: VsockConnection, _ guest: GuestQueues
    ) -> Bool {
        if guest.batch.connection !== connection || guest.batch.isFull
            || guest.batch.vectors.count + Int(guest.tx.size) > GuestQueues.vectorCapacity {
            deliverBatch(guest)
        }
        // The length is the guest's word; the chain is what there is.
        let length = Int(packet.length)
        guard length <= chain.readableCount - VsockPacket.headerSize,
              connection.buffer.count + guest.batch.vectors.byteCount + length <= connection.buffer.capacity,
              chain.gather(writable: false, from: VsockPacket.headerSize, count: length, into: &guest.batch.vectors) else {
            return false
        }
        connection.noteCredit(packet)
        guest.batch.connection = connection
        guest.batch.append(head: chain.head)
        return true
    }

    /// Gives the collected data to its socket, and what that does not take to the connection's buffer.
    private func deliverBatch(_ guest: GuestQueues) {
        guard let connection = guest.batch.connection else { return }
        let total = guest.batch.vectors.byteCount
        var taken = 0
        if connection.hostIsDeaf {
            taken = total
        } else if connection.buffer.count == 0, connection.isWritable, total > 0 {
            do throws(Errno) {
                taken = try connection.socket?.send(guest.batch.vectors) ?? 0
            } catch {
                hostStopsListening(connection)
                taken = total
            }
        }
        if taken < total {
            connection.buffer.append(guest.batch.vectors, from: taken)
            if connection.isWritable { waitForRoom(connection) }
        }
        for index in 0..<guest.batch.count { guest.release(head: guest.batch.heads[index]) }
        guest.batch.removeAll()
        connection.noteForwarded(taken)
        noteReady(connection)
    }

    /// Everything but data, and data that breaks the rules.
    private func handle(_ packet: VsockPacket, _ connection: VsockConnection, _ guest: GuestQueues) {
        connection.noteCredit(packet)
        switch (packet.operation, connection.state) {
        case (VsockOperation.reset, _):
            guestIsDone(connection)
        case (_, .resetting):
            break  // an answer is on its way
        case (VsockOperation.response, .connecting) where !connection.replies.contains(.request):
            accepted(connection)
        case (VsockOperation.shutdown, .established):
            noteGuestShutdown(connection, VsockShutdown(rawValue: packet.flags).intersection(.both))
        case (VsockOperation.creditUpdate, .established):
            noteReady(connection)
        case (VsockOperation.creditRequest, .established):
            connection.replies.insert(.creditUpdate)
            noteReady(connection)
        default:
            reset(connection)
        }
    }

    private func noteGuestShutdown(_ connection: VsockConnection, _ flags: VsockShutdown) {
        let new = flags.subtracting(connection.guestShutdown)
        connection.guestShutdown.formUnion(flags)
        if new.contains(.receiving) { connection.socket?.endReceiving() }
        if connection.buffer.count == 0 { endSendingIfDone(connection) }
        noteReady(connection)
    }

    /// The guest has sent its last byte, and the host socket has it.
    func endSendingIfDone(_ connection: VsockConnection) {
        if connection.guestShutdown == .both { return reset(connection) }
        if connection.guestShutdown.contains(.sending) { connection.socket?.endSending() }
    }

    /// The guest has forgotten the connection. What it has sent before still reaches the host.
    private func guestIsDone(_ connection: VsockConnection) {
        guard connection.state == .established, connection.buffer.count > 0 else { return close(connection) }
        forgetPorts(connection)
        connection.readyNode.leave()
        connection.waitingNode.leave()
        connection.replies = []
        connection.state = .draining
    }
}
