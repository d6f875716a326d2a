import Wire

extension MachineDescription {
    private static let version: UInt32 = 1
    // More than a command line holds (MAX_ARG_STRLEN is 128 KiB), so that what is too long for the kernel, or too many for
    // the machine, is refused where its option is known.
    private static let pathLimit = 1 << 17
    private static let commandLineLimit = 1 << 17
    private static let diskLimit = 1 << 17
    private static let shareLimit = 1 << 17

    /// As bytes, for `svmm-vmm` of the same build.
    public func encoded() -> [UInt8] {
        var encoder = WireEncoder()
        encoder.encode(Self.version)
        encoder.encode(kernel)
        encoder.encode(initrd) { $0.encode($1) }
        encoder.encode(bootProtocol.rawValue)
        encoder.encode(commandLine)
        encoder.encode(disks) { $1.encode(&$0) }
        encoder.encode(shares) { $1.encode(&$0) }
        encoder.encode(shareRoots) { $0.encode($1) }
        encoder.encode(vsock) { $1.encode(&$0) }
        encoder.encode(interfaces) { $1.encode(&$0) }
        encoder.encode(name) { $0.encode($1) }
        encoder.encode(stateDirectory) { $0.encode($1) }
        encoder.encode(UInt32(processorCount))
        encoder.encode(memorySize)
        switch console {
        case .standardIO: encoder.encode(0 as UInt8)
        case .file(let path): encoder.encode(1 as UInt8); encoder.encode(path)
        case .unixSocket(let path): encoder.encode(2 as UInt8); encoder.encode(path)
        case .none: encoder.encode(3 as UInt8)
        }
        encoder.encode(consoleModel.rawValue)
        encoder.encode(hasBalloon)
        encoder.encode(entropyRate) { $0.encode($1) }
        encoder.encode(onReboot.rawValue)
        encoder.encode(graceSeconds.bitPattern)
        encoder.encode(allowsSoftwareKVM)
        encoder.encode(dryRun)
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        let version = try decoder.decode(UInt32.self)
        guard version == Self.version else { throw .invalidValue(offset: 0, found: UInt64(version)) }
        kernel = try decoder.decodeString(limit: Self.pathLimit)
        initrd = try Self.decodePath(&decoder)
        bootProtocol = try Self.decodeChoice(&decoder, BootProtocol.init(rawValue:))
        commandLine = try decoder.decodeString(limit: Self.commandLineLimit)
        disks = try decoder.decodeArray(limit: Self.diskLimit) { (decoder) throws(WireError) in
            try DiskDescription(&decoder)
        }
        shares = try decoder.decodeArray(limit: Self.shareLimit) { (decoder) throws(WireError) in
            try ShareDescription(&decoder)
        }
        shareRoots = try decoder.decodeArray(limit: Self.shareLimit) { (decoder) throws(WireError) in
            try decoder.decodeString(limit: Self.pathLimit)
        }
        vsock = try decoder.decodeOptional { (decoder) throws(WireError) in try VsockDescription(&decoder) }
        interfaces = try decoder.decodeArray(limit: Self.diskLimit) { (decoder) throws(WireError) in
            try NetworkDescription(&decoder)
        }
        name = try Self.decodePath(&decoder)
        stateDirectory = try Self.decodePath(&decoder)
        processorCount = Int(try decoder.decode(UInt32.self))
        memorySize = try decoder.decode(UInt64.self)
        console = try Self.decodeConsole(&decoder)
        consoleModel = try Self.decodeChoice(&decoder, ConsoleModel.init(rawValue:))
        hasBalloon = try decoder.decode(Bool.self)
        entropyRate = try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt64.self) }
        onReboot = try Self.decodeChoice(&decoder, RebootAction.init(rawValue:))
        graceSeconds = Double(bitPattern: try decoder.decode(UInt64.self))
        allowsSoftwareKVM = try decoder.decode(Bool.self)
        dryRun = try decoder.decode(Bool.self)
        try decoder.finish()
    }

    private static func decodePath(_ decoder: inout WireDecoder) throws(WireError) -> String? {
        try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decodeString(limit: pathLimit) }
    }

    private static func decodeConsole(_ decoder: inout WireDecoder) throws(WireError) -> ConsoleDescription {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 0: return .standardIO
        case 1: return .file(try decoder.decodeString(limit: pathLimit))
        case 2: return .unixSocket(try decoder.decodeString(limit: pathLimit))
        case 3: return .none
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }

    static func decodeChoice<Choice>(
        _ decoder: inout WireDecoder, _ make: (UInt8) -> Choice?
    ) throws(WireError) -> Choice {
        let offset = decoder.offset
        let value = try decoder.decode(UInt8.self)
        guard let choice = make(value) else { throw .invalidValue(offset: offset, found: UInt64(value)) }
        return choice
    }
}
