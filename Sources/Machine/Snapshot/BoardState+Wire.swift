import Devices
import Wire

extension PowerManagementState {
    func encode(_ encoder: inout WireEncoder) {
        for register in [status, enable, control] { encoder.encode(register) }
        for register in [gpe0Status, gpe0Enable] { encoder.encode(register) }
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        self.init()
        status = try decoder.decode(UInt16.self)
        enable = try decoder.decode(UInt16.self)
        control = try decoder.decode(UInt16.self)
        gpe0Status = try decoder.decode(UInt8.self)
        gpe0Enable = try decoder.decode(UInt8.self)
    }
}

extension RealTimeClockState {
    private static let memoryLimit = 256

    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(index)
        encoder.encode(memory)
        encoder.encode(offset)
        encoder.encode(lastLook)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        self.init()
        index = try decoder.decode(UInt8.self)
        memory = try decoder.decodeBytes(limit: Self.memoryLimit)
        offset = try decoder.decode(Int64.self)
        lastLook = try decoder.decode(Int64.self)
    }
}

extension SerialPortState {
    private static let receivedLimit = 256

    func encode(_ encoder: inout WireEncoder) {
        for register in [interruptEnable, fifoControl, lineControl, modemControl, lineStatus, modemStatus, scratch, pendingInterrupts] {
            encoder.encode(register)
        }
        encoder.encode(divisor)
        encoder.encode(received)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        self.init()
        interruptEnable = try decoder.decode(UInt8.self)
        fifoControl = try decoder.decode(UInt8.self)
        lineControl = try decoder.decode(UInt8.self)
        modemControl = try decoder.decode(UInt8.self)
        lineStatus = try decoder.decode(UInt8.self)
        modemStatus = try decoder.decode(UInt8.self)
        scratch = try decoder.decode(UInt8.self)
        pendingInterrupts = try decoder.decode(UInt8.self)
        divisor = try decoder.decode(UInt16.self)
        received = try decoder.decodeBytes(limit: Self.receivedLimit)
    }
}
