import LinuxSystem
import NineP

/// The in-memory transport: a request and the room for its reply, each in areas of memory of chosen sizes.
public final class MemoryBuffers: MessageBuffers {
    private let requestAreas: [UnsafeMutableRawBufferPointer]
    private let replyAreas: [UnsafeMutableRawBufferPointer]
    public let requestCount: Int
    public let replyCapacity: Int

    /// - Parameter pieces: sizes of the areas, used again and again; none means one area.
    public init(_ request: [UInt8], replyCapacity: Int, requestPieces: [Int] = [], replyPieces: [Int] = []) {
        requestCount = request.count
        self.replyCapacity = replyCapacity
        requestAreas = Self.areas(request.count, requestPieces)
        replyAreas = Self.areas(replyCapacity, replyPieces)
        var offset = 0
        for area in requestAreas {
            area.copyBytes(from: request[offset..<(offset + area.count)])
            offset += area.count
        }
    }

    deinit {
        for area in requestAreas + replyAreas { area.deallocate() }
    }

    private static func areas(_ count: Int, _ pieces: [Int]) -> [UnsafeMutableRawBufferPointer] {
        var areas: [UnsafeMutableRawBufferPointer] = []
        var left = count
        while left > 0 {
            let size = pieces.isEmpty ? left : min(left, pieces[areas.count % pieces.count])
            let area = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
            area.initializeMemory(as: UInt8.self, repeating: 0xEE)
            areas.append(area)
            left -= size
        }
        return areas
    }

    /// Calls `body` with the parts of the areas that hold `count` bytes from `offset` on.
    private static func parts(
        _ areas: [UnsafeMutableRawBufferPointer], _ offset: Int, _ count: Int,
        _ body: (UnsafeMutableRawBufferPointer) -> Bool
    ) -> Int {
        var (skip, left) = (offset, count)
        for area in areas where left > 0 {
            guard skip < area.count else {
                skip -= area.count
                continue
            }
            let part = UnsafeMutableRawBufferPointer(rebasing: area[skip..<(skip + min(left, area.count - skip))])
            skip = 0
            if !body(part) { break }
            left -= part.count
        }
        return count - left
    }

    public func copyRequest(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        return Self.parts(requestAreas, offset, bytes.count) { part in
            UnsafeMutableRawBufferPointer(rebasing: bytes[done...]).copyBytes(from: part)
            done += part.count
            return true
        }
    }

    public func copyReply(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        var done = 0
        return Self.parts(replyAreas, offset, bytes.count) { part in
            part.copyBytes(from: bytes[done..<(done + part.count)])
            done += part.count
            return true
        }
    }

    public func gatherRequest(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        Self.gather(requestAreas, offset, count, &vectors)
    }

    public func gatherReply(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        Self.gather(replyAreas, offset, count, &vectors)
    }

    private static func gather(
        _ areas: [UnsafeMutableRawBufferPointer], _ offset: Int, _ count: Int, _ vectors: inout IOVectorList
    ) -> Bool {
        let before = vectors.byteCount
        _ = parts(areas, offset, count) { part in
            guard let base = part.baseAddress else { return false }
            return vectors.append(base, count: part.count)
        }
        return vectors.byteCount - before == count
    }

    /// The first bytes of the reply.
    public func reply(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        _ = Self.parts(replyAreas, 0, count) { part in
            bytes += part
            return true
        }
        return bytes
    }
}
