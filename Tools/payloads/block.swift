// Drives the virtio-blk device by polling the used ring: block.mode=verify|bench|ro.

let payloadName: StaticString = "block"

let wantedFeatures =
    VirtioDevice.Feature.indirectDescriptors | VirtioDevice.Feature.eventIndex | VirtioDevice.Feature.blockFlush
    | VirtioDevice.Feature.blockReadOnly
let chunk: UInt32 = 4096
let chunkSectors = UInt64(chunk / BlockQueue.sectorSize)

func payload() {
    let device = VirtioDevice.require(VirtioDevice.Kind.block)
    if Options.word("block.mode", is: "bench") {
        bench(device)
    } else if Options.word("block.mode", is: "ro") {
        readOnly(device)
    } else {
        verify(device)
    }
}

func verify(_ device: VirtioDevice) {
    let depth = Options.number("block.depth", default: 16)
    let count = Options.number("block.count", default: 64)
    let untilButton = Options.word("block.until", is: "button")
    if untilButton { Power.listenToButton() }
    var requests: UInt64 = 0
    var round: UInt64 = 0
    // without and with EVENT_IDX, direct and indirect
    while untilButton ? !Power.isButtonPressed : round < 4 {
        Arena.takeBackAll()
        let wanted = round & 1 == 0 ? wantedFeatures & ~VirtioDevice.Feature.eventIndex : wantedFeatures
        var block = BlockQueue(device, wanted: wanted, depth: depth, indirect: round & 2 != 0)
        if block.features & VirtioDevice.Feature.blockReadOnly != 0 { fail("the disk is read-only") }
        if block.capacity < count * chunkSectors { fail("the disk has \(block.capacity) sectors, too few") }
        if round == 0 { identify(&block) }
        report(
            "round \(round) features=\(hex: block.features) indirect=\(block.usesIndirect ? 1 : 0) depth=\(block.depth)"
        )

        transfer(&block, BlockQueue.Request.write, count: count, seed: round)
        if block.features & VirtioDevice.Feature.blockFlush != 0 {
            block.expect(BlockQueue.Result.ok, BlockQueue.Request.flush, sector: 0, length: 0, "flush")
        }
        transfer(&block, BlockQueue.Request.read, count: count, seed: round)
        refusals(&block)
        requests += 2 * count
        round += 1
    }
    report("ok requests=\(requests)")
    if Options.word("block.end", is: "spin") { while true { fence() } }
}

func identify(_ block: inout BlockQueue) {
    block.expect(BlockQueue.Result.ok, BlockQueue.Request.getID, sector: 0, length: 20, "GET_ID")
    report("capacity=\(block.capacity) id=\(bytesAt: block.data(0), count: 20)")
}

/// `count` chunks spread over the whole disk, last sector included, as many in flight as the depth allows.
func transfer(_ block: inout BlockQueue, _ type: UInt32, count: UInt64, seed: UInt64) {
    let spread = count > 1 ? (block.capacity - chunkSectors) / (count - 1) : 0
    func sector(_ request: UInt64) -> UInt64 {
        request == count - 1 ? block.capacity - chunkSectors : request * max(spread, chunkSectors)
    }
    let isRead = type == BlockQueue.Request.read
    var next: UInt64 = 0
    var finished: UInt64 = 0

    func submit(_ slot: UInt16) {
        let position = sector(next)
        if isRead {
            fill(block.data(slot)) { _ in 0xDEAD_BEEF_DEAD_BEEF }
        } else {
            fill(block.data(slot)) { pattern(position, $0, seed) }
        }
        let framing = BlockQueue.Framing(segments: 1 + UInt32(next % 4), isOdd: next % 3 == 2)
        block.submit(slot, type, sector: position, length: chunk, framing: framing)
        next += 1
    }

    for slot in 0..<UInt16(min(UInt64(block.depth), count)) { submit(slot) }
    block.queue.notify()
    while finished < count {
        let completion = block.queue.wait(isRead ? "read" : "write")
        let slot = block.slot(completion)
        let position = load64(block.header(slot) + 8)
        let result = block.result(slot, length: chunk)
        if result != BlockQueue.Result.ok { fail("sector \(position), request type \(type): status \(result)") }
        let expected = isRead ? chunk + 1 : 1
        if completion.length != expected {
            fail("request type \(type): used length \(completion.length), expected \(expected)")
        }
        if isRead {
            for word in 0..<UInt64(chunk / 8) {
                let found = load64(block.data(slot) + UInt(word) * 8)
                if found != pattern(position, word, seed) {
                    fail("sector \(position), word \(word): read \(hex: found)")
                }
            }
        }
        finished += 1
        if next < count {
            submit(slot)
            block.queue.notify()
        }
    }
}

func fill(_ address: UInt, _ word: (UInt64) -> UInt64) {
    for index in 0..<UInt64(chunk / 8) { store64(address + UInt(index) * 8, word(index)) }
}

func pattern(_ sector: UInt64, _ word: UInt64, _ seed: UInt64) -> UInt64 {
    (sector &+ 1) &* 0x9E37_79B9_7F4A_7C15 ^ (word &+ seed &* 0x10001) &* 0xC2B2_AE3D_27D4_EB4F
}

/// Requests a device has to refuse without harm to the next one.
func refusals(_ block: inout BlockQueue) {
    let ioError = BlockQueue.Result.ioError
    let end = block.capacity
    for type in BlockQueue.Request.read...BlockQueue.Request.write {
        block.expect(ioError, type, sector: end, length: 512, "request at the end of the disk")
        block.expect(ioError, type, sector: end - 1, length: 1024, "request across the end of the disk")
        block.expect(ioError, type, sector: 1 << 55, length: 512, "request whose byte offset overflows")
        block.expect(ioError, type, sector: .max, length: 512, "request at the last sector number")
        block.expect(ioError, type, sector: 0, length: 100, "request of a part of a sector")
    }
    block.expect(
        BlockQueue.Result.unsupported, BlockQueue.Request.undefined, sector: 0, length: 512,
        "request of an undefined type")
    block.expect(BlockQueue.Result.ok, BlockQueue.Request.read, sector: 0, length: 512, "read after refused requests")
}

func readOnly(_ device: VirtioDevice) {
    var block = BlockQueue(device, wanted: wantedFeatures, depth: 1, indirect: false)
    if block.features & VirtioDevice.Feature.blockReadOnly == 0 { fail("RO is not offered") }
    identify(&block)
    block.expect(BlockQueue.Result.ok, BlockQueue.Request.read, sector: 0, length: chunk, "read")
    let before = Arena.take(UInt(chunk))
    for offset in stride(from: 0, to: UInt(chunk), by: 8) {
        let word = load64(block.data(0) + offset)
        store64(before + offset, word)
        store64(block.data(0) + offset, ~word)
    }
    block.expect(
        BlockQueue.Result.ioError, BlockQueue.Request.write, sector: 0, length: chunk, "write to a read-only disk")
    block.expect(BlockQueue.Result.ok, BlockQueue.Request.read, sector: 0, length: chunk, "read after the write")
    for offset in stride(from: 0, to: UInt(chunk), by: 8)
    where load64(block.data(0) + offset) != load64(before + offset) {
        fail("the write to a read-only disk changed it")
    }
    report("ok read-only")
}

/// Random 4 KiB requests at a fixed depth; block.op=write writes.
func bench(_ device: VirtioDevice) {
    let count = Options.number("block.count", default: 100_000)
    var block = BlockQueue(
        device, wanted: wantedFeatures, depth: Options.number("block.depth", default: 1), indirect: true)
    let type = Options.word("block.op", is: "write") ? BlockQueue.Request.write : BlockQueue.Request.read
    let chunks = block.capacity / chunkSectors
    if chunks == 0 { fail("the disk has \(block.capacity) sectors, too few") }
    var random = Random(seed: Options.number("block.seed", default: 1))
    let depth = UInt16(min(UInt64(block.depth), max(1, count)))
    let start = timestamp()
    for slot in 0..<depth {
        block.submit(slot, type, sector: random.next(below: chunks) * chunkSectors, length: chunk)
    }
    block.queue.notify()
    var submitted = UInt64(depth)
    var finished: UInt64 = 0
    while finished < count {
        // all that is there, then one notification for what replaces it
        var completion = Optional(block.queue.wait("bench"))
        while let done = completion {
            let slot = block.slot(done)
            if block.result(slot, length: chunk) != BlockQueue.Result.ok { fail("request \(finished) failed") }
            finished += 1
            if submitted < count {
                block.submit(slot, type, sector: random.next(below: chunks) * chunkSectors, length: chunk)
                submitted += 1
            }
            completion = finished < count ? block.queue.next() : nil
        }
        block.queue.notify()
    }
    let cycles = timestamp() - start
    report("bench requests=\(count) bytes=\(count * UInt64(chunk)) depth=\(depth) cycles=\(cycles)")
    report("ok bench")
}
