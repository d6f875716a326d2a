import Wire

extension SandboxConfiguration {
    public func encode(_ encoder: inout WireEncoder) {
        encoder.encode(hostname)
        encoder.encode(domainName)
        encoder.encode(root.imageDisk)
        encoder.encode(root.writableDisk) { $0.encode($1) }
        encoder.encode(root.isReadOnly)
        encoder.encode(mounts) { $1.encode(&$0) }
        encoder.encode(sharedMemorySize)
        encoder.encode(files) { encoder, file in
            encoder.encode(file.path)
            encoder.encode(file.mode)
            encoder.encode(file.contents)
        }
        encoder.encode(interfaces) { $1.encode(&$0) }
        encoder.encode(kernelParameters) { encoder, parameter in
            encoder.encode(parameter.name)
            encoder.encode(parameter.value)
        }
        encoder.encode(maskedPaths) { $0.encode($1) }
        encoder.encode(readOnlyPaths) { $0.encode($1) }
        encoder.encode(processLimit)
        encoder.encode(stopSignal)
        encoder.encode(stopGrace)
        encoder.encode(time)
        encoder.encode(seed)
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        hostname = try decoder.decodePath()
        domainName = try decoder.decodePath()
        root = RootConfiguration(
            imageDisk: try decoder.decodePath(),
            writableDisk: try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decodePath() },
            isReadOnly: try decoder.decode(Bool.self))
        mounts = try decoder.decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in try Mount(&decoder) }
        sharedMemorySize = try decoder.decode(UInt64.self)
        files = try decoder.decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in
            File(path: try decoder.decodePath(), mode: try decoder.decode(UInt16.self),
                 contents: try decoder.decodeBytes(limit: FieldLimit.file))
        }
        interfaces = try decoder.decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in try Interface(&decoder) }
        kernelParameters = try decoder.decodeArray(limit: FieldLimit.list) { (decoder) throws(WireError) in
            KernelParameter(name: try decoder.decodePath(), value: try decoder.decodePath())
        }
        maskedPaths = try decoder.decodePaths()
        readOnlyPaths = try decoder.decodePaths()
        processLimit = try decoder.decode(UInt32.self)
        stopSignal = try decoder.decode(UInt8.self)
        stopGrace = try decoder.decode(UInt32.self)
        time = try decoder.decode(UInt64.self)
        seed = try decoder.decodeBytes(limit: 64)
    }
}

extension SandboxConfiguration.Mount {
    func encode(_ encoder: inout WireEncoder) {
        switch source {
        case .share(let tag, let name):
            encoder.encode(1 as UInt8)
            encoder.encode(tag)
            encoder.encode(name)
        case .temporary(let size, let mode):
            encoder.encode(2 as UInt8)
            encoder.encode(size)
            encoder.encode(mode)
        case .disk(let serial):
            encoder.encode(3 as UInt8)
            encoder.encode(serial)
        }
        encoder.encode(destination)
        encoder.encode(isReadOnly)
        encoder.encode(flags.rawValue)
        encoder.encode(copiesImage)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        let start = decoder.offset
        switch try decoder.decode(UInt8.self) {
        case 1: source = .share(tag: try decoder.decodePath(), name: try decoder.decodePath())
        case 2: source = .temporary(size: try decoder.decode(UInt64.self), mode: try decoder.decode(UInt16.self))
        case 3: source = .disk(try decoder.decodePath())
        case let other: throw .invalidValue(offset: start, found: UInt64(other))
        }
        destination = try decoder.decodePath()
        isReadOnly = try decoder.decode(Bool.self)
        flags = Flags(rawValue: try decoder.decode(UInt8.self))
        copiesImage = try decoder.decode(Bool.self)
    }
}

extension SandboxConfiguration.Interface {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(mac)
        encoder.encode(name)
        encoder.encode(mtu)
        encoder.encode(addresses) { encoder, address in
            encoder.encode(address.bytes)
            encoder.encode(address.prefixLength)
        }
        encoder.encode(gateways) { $0.encode($1) }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        mac = try decoder.decodeBytes(limit: 6)
        name = try decoder.decodePath()
        mtu = try decoder.decode(UInt16.self)
        addresses = try decoder.decodeArray(limit: 64) { (decoder) throws(WireError) in
            SandboxConfiguration.Address(bytes: try decoder.decodeBytes(limit: 16), prefixLength: try decoder.decode(UInt8.self))
        }
        gateways = try decoder.decodeArray(limit: 64) { (decoder) throws(WireError) in try decoder.decodeBytes(limit: 16) }
    }
}
