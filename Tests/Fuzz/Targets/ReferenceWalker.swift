import GuestMemory
import TestSupport

/// What a chain of descriptors is, found out slowly and obviously: all of it is copied first and looked at then, by the words of
/// virtio 1.2, section 2.7.5. Beside it the product's own way is checked.
struct ReferenceWalker {
    /// One buffer, as the descriptor has it.
    struct Part: Equatable {
        var address: GuestAddress
        var count: UInt64
        var isWritable: Bool
    }

    private struct Entry {
        var address: UInt64
        var count: UInt32
        var flags: UInt16
        var next: UInt16

        init(_ bytes: ArraySlice<UInt8>) {
            let bytes = Array(bytes)
            address = bytes.get(UInt64.self, at: 0)
            count = bytes.get(UInt32.self, at: 8)
            flags = bytes.get(UInt16.self, at: 12)
            next = bytes.get(UInt16.self, at: 14)
        }
    }

    let memory: GuestMemory
    let ring: MockDriver
    let allowsIndirect: Bool

    /// The chain's buffers; nil where it is malformed in whatever way.
    func chain(from head: UInt16) -> [Part]? {
        guard let table = entries(at: ring.descriptorTable, count: UInt64(ring.size)),
              let direct = list(table, from: head) else { return nil }
        var all: [Entry] = []
        for (index, entry) in direct.enumerated() {
            guard entry.flags & MockDriver.indirect != 0 else {
                all.append(entry)
                continue
            }
            // An indirect descriptor is the last of its chain, and what it names holds none.
            guard allowsIndirect, index == direct.count - 1, entry.flags & MockDriver.next == 0 else { return nil }
            guard entry.count > 0, entry.count % 16 == 0, let inner = entries(at: entry.address, count: UInt64(entry.count) / 16),
                  let inside = list(inner, from: 0), inside.allSatisfy({ $0.flags & MockDriver.indirect == 0 }) else { return nil }
            all += inside
        }
        guard all.count <= Int(ring.size) else { return nil }
        let parts = all.map { Part(address: $0.address, count: UInt64($0.count), isWritable: $0.flags & MockDriver.write != 0) }
        guard parts.allSatisfy({ isRAM($0.address, $0.count) }) else { return nil }
        // What the device reads comes before what it writes.
        guard let first = parts.firstIndex(where: \.isWritable) else { return parts }
        return parts[first...].allSatisfy(\.isWritable) ? parts : nil
    }

    /// From one entry to the next, each at most once.
    private func list(_ table: [Entry], from head: UInt16) -> [Entry]? {
        var seen: Set<UInt16> = []
        var found: [Entry] = []
        var index = head
        while true {
            guard Int(index) < table.count, seen.insert(index).inserted else { return nil }
            let entry = table[Int(index)]
            found.append(entry)
            if entry.flags & MockDriver.next == 0 { return found }
            index = entry.next
        }
    }

    private func entries(at address: GuestAddress, count: UInt64) -> [Entry]? {
        guard isRAM(address, 16 * count) else { return nil }
        // The product lets a table have as many entries; no chain that it takes needs more.
        let count = Int(min(count, 65535))
        guard let bytes = try? memory.bytes(at: address, count: 16 * count) else { return nil }
        return (0..<count).map { Entry(bytes[(16 * $0)..<(16 * $0 + 16)]) }
    }

    /// Byte by byte would be more obvious still, and take minutes: the first and the last decide, as regions have no holes.
    private func isRAM(_ address: GuestAddress, _ count: UInt64) -> Bool {
        let (end, overflow) = address.addingReportingOverflow(count)
        guard !overflow else { return false }
        return memory.layout.regions.contains { region in
            address >= region.start && address < region.start + region.count && end <= region.start + region.count
        }
    }
}
