import AllocationCounter
import Devices
import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Allocations of a disk's requests", .serialized)
struct BlockAllocationTests {
    private typealias Block = BlockHarness
    private let directory = TemporaryDirectory()

    @Test("the counter sees what a thread allocates")
    func counter() {
        allocation_counter_watch(allocation_counter_self())
        defer { allocation_counter_watch(0) }
        withExtendedLifetime([Int](repeating: 1, count: getpid() > 0 ? 1000 : 1)) {}
        #expect(allocation_counter_value() > 0)
    }

    @Test("once every slot has been used, requests allocate nothing", arguments: [
        BlockSetup(.ioUring, readsCache: false, name: "alloc-a"), BlockSetup(.automatic, name: "alloc-b"),
        BlockSetup(.threads, readsCache: false, name: "alloc-c"), BlockSetup(.ioUring, cache: .none, name: "alloc-d"),
        BlockSetup(.ioUring, rates: DiskRates(requests: .init(perSecond: 20_000, burst: 1)), name: "alloc-e"),
        BlockSetup(.ioUring, cache: .writethrough, name: "alloc-f"),
    ])
    func none(setup: BlockSetup) throws {
        let block = try BlockHarness(path: directory.sparseFile("disk", size: 8 << 20), features: Block.allFeatures, setup: setup)
        func traffic() throws {
            for batch in 0..<4 {
                for number in 0..<96 {
                    let type = [Block.read, Block.write, Block.read, Block.flush][number % 4]
                    let place = 0x400_0000 + 0x1_0000 * UInt64(number)
                    let parts = (0..<(1 + UInt64(number % 12))).map { part in
                        MockDriver.Buffer(address: place + 4096 * part, count: 4096, isWritable: type == Block.read)
                    }
                    try block.add(number, type, sector: UInt64(number * 128), type == Block.flush ? [] : parts)
                    // Alone, too.
                    if batch % 4 == 0 { try block.finish() }
                }
                try block.finish()
                for number in 0..<96 {
                    let status = try block.status(number)
                    #expect(status == Block.ok, "request \(number) of batch \(batch)")
                }
            }
        }
        try traffic()
        let thread = try #require(Self.thread(named: "\(setup.options.name)-0"))
        defer { allocation_counter_watch(0) }
        // Slots are made, and their lists grow, when a request first needs them, which is a matter of time: but some day all
        // are there, and what every request allocates would be seen on each day.
        for _ in 0..<30 {
            allocation_counter_watch(thread)
            try traffic()
            if allocation_counter_value() == 0 { return }
        }
        Issue.record("\(allocation_counter_value()) allocations in the last of 30 rounds")
    }

    private static func thread(named name: String) -> pid_t? {
        guard let tasks = opendir("/proc/self/task") else { return nil }
        defer { closedir(tasks) }
        while let entry = readdir(tasks) {
            let task = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if contents(ofSmallFile: "/proc/self/task/\(task)/comm") == Array("\(name)\n".utf8) { return pid_t(task) }
        }
        return nil
    }
}
