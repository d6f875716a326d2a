import KVM
import Wire

/// Bytes of one of the kernel's structures at the most: extended states of processors to come included.
private let structureLimit = 1 << 20
private let registerLimit = 1 << 16
private let featureLimit = 1 << 12

extension PlatformState {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(interruptControllers) { $0.encode($1) }
        encoder.encode(timer)
        encoder.encode(clock)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        self.init(
            interruptControllers: try decoder.decodeArray(limit: 16) { (decoder) throws(WireError) in
                try decoder.decodeBytes(limit: structureLimit)
            },
            timer: try decoder.decodeBytes(limit: structureLimit), clock: try decoder.decode(UInt64.self))
    }
}

extension ProcessorState {
    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(features) { encoder, entry in
            for word in [entry.function, entry.index, entry.eax, entry.ebx, entry.ecx, entry.edx] { encoder.encode(word) }
            encoder.encode(entry.indexIsSignificant)
        }
        for bytes in [registers, specialRegisters, extendedControl, extendedState, debugRegisters, localInterrupts] {
            encoder.encode(bytes)
        }
        encoder.encode(modelSpecificRegisters) { encoder, register in
            encoder.encode(register.index)
            encoder.encode(register.value)
        }
        encoder.encode(activity)
        encoder.encode(events)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        func block(_ decoder: inout WireDecoder) throws(WireError) -> [UInt8] { try decoder.decodeBytes(limit: structureLimit) }
        let features = try decoder.decodeArray(limit: featureLimit) { (decoder) throws(WireError) in
            var entry = CPUIDEntry(function: try decoder.decode(UInt32.self))
            entry.index = try decoder.decode(UInt32.self)
            entry.eax = try decoder.decode(UInt32.self)
            entry.ebx = try decoder.decode(UInt32.self)
            entry.ecx = try decoder.decode(UInt32.self)
            entry.edx = try decoder.decode(UInt32.self)
            entry.indexIsSignificant = try decoder.decode(Bool.self)
            return entry
        }
        let (registers, specialRegisters, extendedControl) = (try block(&decoder), try block(&decoder), try block(&decoder))
        let (extendedState, debugRegisters, localInterrupts) = (try block(&decoder), try block(&decoder), try block(&decoder))
        let others = try decoder.decodeArray(limit: registerLimit) { (decoder) throws(WireError) in
            ModelSpecificRegister(index: try decoder.decode(UInt32.self), value: try decoder.decode(UInt64.self))
        }
        self.init(
            features: features, registers: registers, specialRegisters: specialRegisters, extendedControl: extendedControl,
            extendedState: extendedState, debugRegisters: debugRegisters, localInterrupts: localInterrupts,
            modelSpecificRegisters: others, activity: try block(&decoder), events: try block(&decoder))
    }
}
