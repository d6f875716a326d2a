import LinuxSystem
import Virtio

/// The way of a request through a queue: taken from its chain, started, completed, pushed.
extension BlockQueue {
    /// Takes what is available, at most one ring's worth, so that a guest that never stops adding cannot keep the thread from
    /// its other duties. Whether there was anything to do.
    func serve(_ work: Work) -> Bool {
        var isBusy = startParked(work)
        guard parked == nil, !hasFailed else { return isBusy }
        var left = work.queue.size
        do throws(QueueError) {
            while left > 0, !hasMail.load(ordering: .relaxed), let slot = freeSlot(work) {
                guard try work.queue.next(chain) else { break }
                freeSlots.pop()
                left -= 1
                isBusy = true
                if let status = try slot.take(chain, terms) {
                    push(slot, status, work)
                    continue
                }
                if let limiter = settings.limiter, park(slot, for: limiter.take(bytes: slot.transferCount)) { break }
                start(slot, work)
            }
        } catch {
            fail(work)
            isBusy = true
        }
        return isBusy
    }

    /// A slot that is free, which stays so; nil when the driver has more requests in flight than the queue has descriptors.
    private func freeSlot(_ work: Work) -> RequestSlot? {
        if let index = freeSlots.top { return slots[index] }
        guard slots.count < Int(work.queue.size) else { return nil }
        let slot = RequestSlot(index: slots.count, queueSize: Int(BlockOffer.queueSize))
        slots.append(slot)
        freeSlots.push(slot.index)
        return slot
    }

    private func park(_ slot: RequestSlot, for delay: UInt64) -> Bool {
        if delay == 0 { return false }
        parked = (slot, Clock.monotonicNanoseconds() &+ delay)
        timer.arm(nanoseconds: delay)
        return true
    }

    private func startParked(_ work: Work) -> Bool {
        guard let (slot, until) = parked, Clock.monotonicNanoseconds() >= until else { return false }
        parked = nil
        start(slot, work)
        return true
    }

    private func start(_ slot: RequestSlot, _ work: Work) {
        guard let disk = terms.disk else { return push(slot, .ioError, work) }
        if slot.operation == .read, readsCache, !work.queue.hasAvailable || !waiter.hasRing, readCached(slot, disk) {
            return push(slot, slot.status, work)
        }
        inFlight += 1
        hand(slot, to: disk)
    }

    /// Reads in this thread what the page cache has: a copy costs less than telling another thread of it. Whether the request
    /// is done with, well or not.
    private func readCached(_ slot: RequestSlot, _ disk: DiskFile) -> Bool {
        guard disk.route(slot.offset, slot.vectors) == .cached else { return false }
        do throws(Errno) {
            let count = try disk.file.readCached(into: &slot.vectors, at: slot.offset)
            slot.offset &+= UInt64(count)
            slot.status = count > 0 ? .ok : .ioError
            return slot.vectors.byteCount == 0 || count == 0
        } catch {
            if error == .notSupported { readsCache = false }
            return false
        }
    }

    private func hand(_ slot: RequestSlot, to disk: DiskFile) {
        if waiter.prepare(slot, disk) { return }
        workers.submit(slot, disk, for: box)
    }

    func takeCompletions() {
        while let completion = waiter.nextCompletion() {
            guard let index = waiter.slotIndex(of: completion), index < slots.count else { continue }
            complete(slots[index], completion.result)
        }
        while let slot = box.take() { finish(slot, slot.status) }
    }

    private func complete(_ slot: RequestSlot, _ result: Int32) {
        guard let disk = terms.disk else { return finish(slot, .ioError) }
        if result < 0 {
            let error = Errno(rawValue: -result)
            guard error == .again || error == .interrupted else { return finish(slot, .ioError) }
            // Once more, by a thread that can wait: the kernel's, then ours.
            if slot.isAsynchronous { return workers.submit(slot, disk, for: box) }
            slot.isAsynchronous = true
            return hand(slot, to: disk)
        }
        if slot.operation == .flush { return finish(slot, .ok) }
        let count = Int(result)
        // The end of the file, where there was more when the disk was opened.
        guard count > 0, count <= slot.vectors.byteCount else { return finish(slot, .ioError) }
        slot.vectors.consume(count)
        slot.offset &+= UInt64(count)
        // A reset does not wait for the rest.
        if slot.vectors.byteCount == 0 || isStopping { return finish(slot, .ok) }
        hand(slot, to: disk)
    }

    private func finish(_ slot: RequestSlot, _ status: BlockRequest.Status) {
        inFlight -= 1
        guard let work, !isStopping else {
            freeSlots.push(slot.index)
            return
        }
        push(slot, status, work)
    }

    private func push(_ slot: RequestSlot, _ status: BlockRequest.Status, _ work: Work) {
        work.queue.push(head: slot.head, written: slot.finish(status))
        freeSlots.push(slot.index)
        unannounced += 1
        // A driver that sleeps is not to wait for the end of a long round.
        if unannounced >= 32 { announce(work) }
    }
}
