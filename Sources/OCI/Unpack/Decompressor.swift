import CImage

/// Why a layer cannot be applied; the caller adds which layer.
enum LayerFailure: Error, Equatable {
    /// What is wrong with the layer, for a message.
    case invalid(String)
    /// What is wrong with something else.
    case image(ImageError)
}

/// Turns compressed bytes into plain ones: gzip, of one or more members, zstd, of one or more frames, or plain already.
///
/// What the bytes are is seen from how they begin: media types are wrong too often.
struct Decompressor: ~Copyable {
    private enum Method {
        case undecided, plain, gzip, zstd
    }

    private let source: Blob
    /// Where the next bytes of the blob are read from.
    private(set) var offset: UInt64 = 0
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    /// What is in the input and not used up.
    private var rest: Range<Int> = 0..<0
    private var method = Method.undecided
    private var zlib = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var zstd: OpaquePointer?
    /// Between two gzip members or zstd frames; before the first one too.
    private var isAtBoundary = true
    private var isAtStart = true
    /// The library may have more bytes to give without getting any.
    private var hasMore = false

    init(_ source: Blob) {
        self.source = source
        zlib.initialize(to: z_stream())
    }

    deinit {
        if method == .gzip { inflateEnd(zlib) }
        ZSTD_freeDStream(zstd)
        zlib.deallocate()
        input.deallocate()
    }

    /// Fills the buffer as far as there are bytes; returns the count, 0 at the end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(LayerFailure) -> Int {
        var done = 0
        while done < buffer.count {
            if rest.isEmpty, !hasMore, try !refill() {
                guard isAtBoundary else { throw .invalid("truncated: the compressed data ends in the middle") }
                break
            }
            if method == .undecided { try decide() }
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            switch method {
            case .gzip: done += try inflate(into: target)
            case .zstd: done += try decompress(into: target)
            case .plain, .undecided:
                let count = min(rest.count, target.count)
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[rest.lowerBound..<(rest.lowerBound + count)]))
                rest = (rest.lowerBound + count)..<rest.upperBound
                done += count
            }
        }
        return done
    }

    private mutating func refill() throws(LayerFailure) -> Bool {
        do throws(ImageError) {
            let count = try source.read(into: input, at: offset)
            offset += UInt64(count)
            rest = 0..<count
            return count > 0
        } catch {
            throw .image(error)
        }
    }

    private mutating func decide() throws(LayerFailure) {
        let start = input[rest].prefix(6)
        if start.starts(with: [0x1F, 0x8B]) {
            guard svmm_inflate_init(zlib) == Z_OK else { throw .invalid("no memory for decompressing") }
            method = .gzip
        } else if start.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
            || (start.count >= 4 && start[start.startIndex] & 0xF0 == 0x50 && start.dropFirst().starts(with: [0x2A, 0x4D, 0x18])) {
            zstd = ZSTD_createDStream()
            // A frame may ask for a window of up to this much memory: 2 to the 27th, zstd's own limit.
            guard zstd != nil, ZSTD_isError(ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 27)) == 0 else {
                throw .invalid("no memory for decompressing")
            }
            method = .zstd
        } else if start.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A]) || start.starts(with: [0x42, 0x5A, 0x68]) {
            throw .invalid("compressed with xz or bzip2, expected tar, tar+gzip or tar+zstd")
        } else {
            method = .plain
        }
    }

    private mutating func inflate(into target: UnsafeMutableRawBufferPointer) throws(LayerFailure) -> Int {
        if isAtBoundary, !isAtStart {
            // After a member come another one, or zeros that pad.
            guard input[rest.lowerBound] == 0x1F else {
                guard input[rest].allSatisfy({ $0 == 0 }) else { throw .invalid("something that is not gzip after gzip data") }
                rest = 0..<0
                return 0
            }
            inflateReset(zlib)
        }
        (isAtBoundary, isAtStart) = (false, false)
        zlib.pointee.next_in = (input.baseAddress! + rest.lowerBound).assumingMemoryBound(to: UInt8.self)
        zlib.pointee.avail_in = UInt32(rest.count)
        zlib.pointee.next_out = target.baseAddress!.assumingMemoryBound(to: UInt8.self)
        zlib.pointee.avail_out = UInt32(clamping: target.count)
        let offered = zlib.pointee.avail_out
        let result = CImage.inflate(zlib, Z_NO_FLUSH)
        rest = (rest.upperBound - Int(zlib.pointee.avail_in))..<rest.upperBound
        switch result {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isAtBoundary = true
        default:
            throw .invalid("damaged gzip data" + (zlib.pointee.msg.map { ": \(String(cString: $0))" } ?? ""))
        }
        hasMore = zlib.pointee.avail_out == 0 && !isAtBoundary
        return Int(offered - zlib.pointee.avail_out)
    }

    private mutating func decompress(into target: UnsafeMutableRawBufferPointer) throws(LayerFailure) -> Int {
        var from = ZSTD_inBuffer(src: input.baseAddress! + rest.lowerBound, size: rest.count, pos: 0)
        var to = ZSTD_outBuffer(dst: target.baseAddress!, size: target.count, pos: 0)
        let result = ZSTD_decompressStream(zstd, &to, &from)
        guard ZSTD_isError(result) == 0 else {
            throw .invalid("damaged zstd data: \(String(cString: ZSTD_getErrorName(result)))")
        }
        rest = (rest.lowerBound + from.pos)..<rest.upperBound
        isAtBoundary = result == 0
        hasMore = to.pos == to.size && !isAtBoundary
        return to.pos
    }
}
