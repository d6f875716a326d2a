/// start.S comes here at CPL 3. Every payload defines `payloadName` and `payload()`.
@_cdecl("payload_main")
public func payloadMain() -> Never {
    payload()
    Power.off()
}

/// An exception of the payload ends here, once.
@_cdecl("payload_exception")
public func payloadException() -> Never {
    fail(
        """
        exception \(load32(exceptionVector())) error=\(hex: load64(exceptionError())) \
        rip=\(hex: load64(exceptionRIP())) cr2=\(hex: load64(exceptionAddress()))
        """)
}

/// Memory that no one else uses: handed out upwards, zeroed, taken back all at once.
enum Arena {
    nonisolated(unsafe) private static var next: UInt = 0

    static func take(_ bytes: UInt, alignment: UInt = 16) -> UInt {
        if next == 0 { next = arenaStart() }
        let start = (next + alignment - 1) & ~(alignment - 1)
        if bytes > arenaEnd() - start { fail("arena of the payload is too small") }
        next = start + bytes
        zero(start, bytes)
        return start
    }

    static func takeBackAll() { next = arenaStart() }

    private static func zero(_ start: UInt, _ bytes: UInt) {
        for offset in stride(from: 0, to: bytes & ~7, by: 8) { store64(start + offset, 0) }
        for offset in (bytes & ~7)..<bytes { store8(start + offset, 0) }
    }
}

/// xorshift64*: the same numbers in every run.
struct Random {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func next(below bound: UInt64) -> UInt64 { next() % bound }
}
