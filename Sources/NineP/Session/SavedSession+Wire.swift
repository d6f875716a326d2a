import LinuxSystem
import Wire

extension SavedSession {
    /// The session as bytes, `maximumSize` at the most.
    public var encoded: [UInt8] {
        var encoder = WireEncoder()
        encode(&encoder)
        return encoder.bytes
    }

    /// Reads what `encoded` gave. Any bytes are safe: what decodes is in itself sound, and what it says of files is checked when it
    /// is restored.
    public init(encoded bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        try self.init(&decoder)
        try decoder.finish()
    }

    public func encode(_ encoder: inout WireEncoder) {
        encoder.encode(messageSize)
        encoder.encode(prefixes) { encoder, prefix in
            encoder.encode(prefix.device)
            encoder.encode(prefix.inodeHigh)
        }
        encoder.encode(lastSerial)
        encoder.encode(shares) { $1.encode(&$0) }
        encoder.encode(fids) { $1.encode(&$0) }
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        messageSize = try decoder.decodeChecked(UInt32.self) { $0 == 0 || (4096...1 << 20).contains($0) }
        prefixes = try decoder.decodeArray(limit: PathNumbers.maximumPrefixes) { (decoder) throws(WireError) in
            PathNumbers.Prefix(device: try decoder.decode(UInt64.self), inodeHigh: try decoder.decode(UInt64.self))
        }
        // Numbers that can still grow.
        let last = try decoder.decodeChecked(UInt64.self) { $0 <= UInt64(Int64.max) }
        lastSerial = last
        var serial: UInt64?
        let shares = try decoder.decodeArray(limit: SavedLimits.shares) { (decoder) throws(WireError) in
            let share = try SavedShare(&decoder) { value in value <= last && serial.map { value > $0 } ?? true }
            serial = share.serial
            return share
        }
        self.shares = shares
        var number: UInt32?
        fids = try decoder.decodeArray(limit: SavedLimits.fids) { (decoder) throws(WireError) in
            let fid = try SavedFid(&decoder, shares) { value in
                value != Limits.noFid && number.map { value > $0 } ?? true
            }
            number = fid.number
            return fid
        }
    }
}

/// What a saved session may hold. The parts make up `SavedSession.maximumSize` together, with what the encoding adds.
enum SavedLimits {
    /// As many as a directory of shares could have places for.
    static let shares = 1 << 16
    static let fids = 1 << 20
    /// Bytes of the places of all shares: `SavedPlace.size`.
    static let placeBytes = 20 << 20
    /// Bytes of extended attributes that are being read.
    static let valueBytes = 4 << 20
}

extension WireDecoder {
    fileprivate mutating func decodeChecked<Value: FixedWidthInteger>(
        _ type: Value.Type, _ isValid: (Value) -> Bool
    ) throws(WireError) -> Value {
        let start = offset
        let value = try decode(type)
        guard isValid(value) else { throw .invalidValue(offset: start, found: UInt64(truncatingIfNeeded: value)) }
        return value
    }

    fileprivate mutating func decodeName() throws(WireError) -> FileName {
        let start = offset
        let bytes = try decodeBytes(limit: FileName.maximumLength)
        guard let name = try? FileName(bytes) else { throw .invalidValue(offset: start, found: UInt64(bytes.count)) }
        return name
    }
}

extension SavedShare {
    fileprivate func encode(_ encoder: inout WireEncoder) {
        encoder.encode(name.bytes)
        encoder.encode(serial)
        encoder.encode(device)
        encoder.encode(places) { $1.encode(&$0) }
    }

    fileprivate init(_ decoder: inout WireDecoder, isSerial: (UInt64) -> Bool) throws(WireError) {
        name = try decoder.decodeName()
        serial = try decoder.decodeChecked(UInt64.self, isSerial)
        device = try decoder.decode(UInt64.self)
        // The first is the root, and every other one has a parent.
        var limit: UInt16 = 0
        places = try decoder.decodeArray(limit: SavedLimits.placeBytes / SavedPlace.leastSize) { (decoder) throws(WireError) in
            let place = try SavedPlace(&decoder) { $0 <= limit }
            limit = place.depth == .max ? .max : place.depth + 1
            return place
        }
    }
}

extension SavedPlace {
    /// What a place counts for at the least: in memory it is larger than its bytes.
    static let leastSize = 20

    /// Not less than the bytes it is encoded as: depth[2] name[4+n] flag[1], and device[8] inode[8] flag[1] created[12] type[1].
    var size: Int {
        max(7 + (name?.bytes.count ?? 0) + (identity == nil ? 0 : 30), Self.leastSize)
    }

    fileprivate func encode(_ encoder: inout WireEncoder) {
        encoder.encode(depth)
        if let name { encoder.encode(name.bytes) }
        encoder.encode(identity) { $1.encode(&$0) }
    }

    fileprivate init(_ decoder: inout WireDecoder, isDepth: (UInt16) -> Bool) throws(WireError) {
        depth = try decoder.decodeChecked(UInt16.self, isDepth)
        name = depth > 0 ? try decoder.decodeName() : nil
        identity = try decoder.decodeOptional { (decoder) throws(WireError) in try FileIdentity(&decoder) }
    }
}

extension FileIdentity {
    fileprivate func encode(_ encoder: inout WireEncoder) {
        encoder.encode(device)
        encoder.encode(inode)
        encoder.encode(created) { encoder, time in
            encoder.encode(time.seconds)
            encoder.encode(time.nanoseconds)
        }
        encoder.encode(UInt8(truncatingIfNeeded: type >> 12))
    }

    fileprivate init(_ decoder: inout WireDecoder) throws(WireError) {
        device = try decoder.decode(UInt64.self)
        inode = try decoder.decode(UInt64.self)
        created = try decoder.decodeOptional { (decoder) throws(WireError) in
            FileTime(seconds: try decoder.decode(Int64.self), nanoseconds: try decoder.decode(UInt32.self))
        }
        type = UInt32(try decoder.decodeChecked(UInt8.self) { $0 < 16 }) << 12
    }
}

extension SavedFid {
    private enum Tag {
        static let shares: UInt8 = 0, file: UInt8 = 1, gone: UInt8 = 2
        static let none: UInt8 = 0, open: UInt8 = 1, listing: UInt8 = 2, value: UInt8 = 3
    }

    fileprivate func encode(_ encoder: inout WireEncoder) {
        encoder.encode(number)
        encoder.encode(user)
        switch place {
        case .shares: encoder.encode(Tag.shares)
        case .gone: encoder.encode(Tag.gone)
        case .file(let share, let place):
            encoder.encode(Tag.file)
            encoder.encode(UInt32(share))
            encoder.encode(UInt32(place))
        }
        switch use {
        case .none: encoder.encode(Tag.none)
        case .listing: encoder.encode(Tag.listing)
        case .open(let flags, let holdsPlace):
            encoder.encode(Tag.open)
            encoder.encode(flags)
            encoder.encode(holdsPlace)
        case .value(let bytes):
            encoder.encode(Tag.value)
            encoder.encode(bytes)
        }
    }

    fileprivate init(
        _ decoder: inout WireDecoder, _ shares: [SavedShare], isNumber: (UInt32) -> Bool
    ) throws(WireError) {
        number = try decoder.decodeChecked(UInt32.self, isNumber)
        user = try decoder.decode(UInt32.self)
        switch try decoder.decodeChecked(UInt8.self, { $0 <= Tag.gone }) {
        case Tag.shares: place = .shares
        case Tag.file:
            let share = Int(try decoder.decodeChecked(UInt32.self) { $0 < shares.count })
            let index = try decoder.decodeChecked(UInt32.self) { $0 < shares[share].places.count }
            place = .file(share: share, place: Int(index))
        default: place = .gone
        }
        switch try decoder.decodeChecked(UInt8.self, { $0 <= Tag.value }) {
        case Tag.open:
            let flags = try decoder.decodeChecked(UInt32.self) { $0 & ~OpenFlags.kept == 0 }
            use = .open(flags: flags, holdsPlace: try decoder.decode(Bool.self))
        case Tag.listing: use = .listing
        case Tag.value: use = .value(try decoder.decodeBytes(limit: Limits.attributeSize))
        default: use = .none
        }
    }
}
