import Wire

extension MachineDescription {
    private static let version: UInt32 = 1

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
        encoder.encode(restore) { $1.encode(&$0) }
        encoder.encode(template) { $0.encode($1) }
        return encoder.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var decoder = WireDecoder(bytes)
        let version = try decoder.decode(UInt32.self)
        guard version == Self.version else { throw .invalidValue(offset: 0, found: UInt64(version)) }
        kernel = try decoder.decodeText()
        initrd = try decoder.decodeOptionalText()
        bootProtocol = try decoder.decodeChoice(BootProtocol.init(rawValue:))
        commandLine = try decoder.decodeText()
        disks = try decoder.decodeList { (decoder) throws(WireError) in
            try DiskDescription(&decoder)
        }
        shares = try decoder.decodeList { (decoder) throws(WireError) in
            try ShareDescription(&decoder)
        }
        shareRoots = try decoder.decodeList { (decoder) throws(WireError) in
            try decoder.decodeText()
        }
        vsock = try decoder.decodeOptional { (decoder) throws(WireError) in try VsockDescription(&decoder) }
        interfaces = try decoder.decodeList { (decoder) throws(WireError) in
            try NetworkDescription(&decoder)
        }
        name = try decoder.decodeOptionalText()
        stateDirectory = try decoder.decodeOptionalText()
        processorCount = Int(try decoder.decode(UInt32.self))
        memorySize = try decoder.decode(UInt64.self)
        console = try Self.decodeConsole(&decoder)
        consoleModel = try decoder.decodeChoice(ConsoleModel.init(rawValue:))
        hasBalloon = try decoder.decode(Bool.self)
        entropyRate = try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt64.self) }
        onReboot = try decoder.decodeChoice(RebootAction.init(rawValue:))
        graceSeconds = Double(bitPattern: try decoder.decode(UInt64.self))
        allowsSoftwareKVM = try decoder.decode(Bool.self)
        dryRun = try decoder.decode(Bool.self)
        restore = try decoder.decodeOptional { (decoder) throws(WireError) in try RestoreDescription(&decoder) }
        template = try decoder.decodeOptionalText()
        try decoder.finish()
    }

    private static func decodeConsole(_ decoder: inout WireDecoder) throws(WireError) -> ConsoleDescription {
        let offset = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 0: return .standardIO
        case 1: return .file(try decoder.decodeText())
        case 2: return .unixSocket(try decoder.decodeText())
        case 3: return .none
        case let other: throw .invalidValue(offset: offset, found: UInt64(other))
        }
    }
}
