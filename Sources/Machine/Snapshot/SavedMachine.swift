import Devices
import KVM
import Snapshot
import Virtio
import Wire

/// A machine between two instructions, but for its memory.
struct SavedMachine: Sendable {
    /// Nanoseconds since 1970, when it was saved.
    var time: UInt64
    /// Of the time stamp counters, in kHz; nil where KVM did not know.
    var timeStampFrequency: UInt32?
    /// Whether it runs Linux, which needs hardware virtualization to go on.
    var isLinux: Bool
    /// What the balloon should hold, in bytes.
    var balloonTarget: UInt64
    var platform: PlatformState
    var processors: [ProcessorState]
    var transports: [TransportSnapshot]
    var power: PowerManagementState
    var clock: RealTimeClockState
    var serial: SerialPortState

    /// As sections of a snapshot.
    ///
    /// - Parameter description: the machine's, encoded.
    func sections(description: [UInt8]) -> [SnapshotSection] {
        func section(_ kind: SectionKind, _ body: (inout WireEncoder) -> Void) -> SnapshotSection {
            var encoder = WireEncoder()
            body(&encoder)
            return SnapshotSection(kind, encoder.bytes)
        }
        var sections = [SnapshotSection(.description, description)]
        sections.append(section(.host) { encoder in
            encoder.encode(time)
            encoder.encode(timeStampFrequency) { $0.encode($1) }
            encoder.encode(isLinux)
            encoder.encode(balloonTarget)
        })
        sections.append(section(.platform) { platform.encode(&$0) })
        for processor in processors { sections.append(section(.processor) { processor.encode(&$0) }) }
        for transport in transports { sections.append(section(.transport) { transport.encode(&$0) }) }
        sections.append(section(.power) { power.encode(&$0) })
        sections.append(section(.clock) { clock.encode(&$0) })
        sections.append(section(.serial) { serial.encode(&$0) })
        return sections
    }

    init(time: UInt64, timeStampFrequency: UInt32?, isLinux: Bool, balloonTarget: UInt64, platform: PlatformState,
         processors: [ProcessorState], transports: [TransportSnapshot], power: PowerManagementState, clock: RealTimeClockState,
         serial: SerialPortState) {
        self.time = time
        self.timeStampFrequency = timeStampFrequency
        self.isLinux = isLinux
        self.balloonTarget = balloonTarget
        self.platform = platform
        self.processors = processors
        self.transports = transports
        self.power = power
        self.clock = clock
        self.serial = serial
    }

    init(_ snapshot: SnapshotReader) throws(SnapshotError) {
        func decode<Value>(
            _ kind: SectionKind, _ bytes: [UInt8], _ body: (inout WireDecoder) throws(WireError) -> Value
        ) throws(SnapshotError) -> Value {
            var decoder = WireDecoder(bytes)
            do throws(WireError) {
                let value = try body(&decoder)
                try decoder.finish()
                return value
            } catch {
                throw .invalid(path: snapshot.statePath, .section(0, kind), "\(error); it was saved by another version of svmm")
            }
        }
        (time, timeStampFrequency, isLinux, balloonTarget) = try decode(.host, snapshot.section(.host)) { (decoder) throws(WireError) in
            (try decoder.decode(UInt64.self),
             try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt32.self) },
             try decoder.decode(Bool.self), try decoder.decode(UInt64.self))
        }
        platform = try decode(.platform, snapshot.section(.platform)) { (decoder) throws(WireError) in try PlatformState(&decoder) }
        processors = try snapshot.sections(.processor).map { (bytes) throws(SnapshotError) in
            try decode(.processor, bytes) { (decoder) throws(WireError) in try ProcessorState(&decoder) }
        }
        transports = try snapshot.sections(.transport).map { (bytes) throws(SnapshotError) in
            try decode(.transport, bytes) { (decoder) throws(WireError) in try TransportSnapshot(&decoder) }
        }
        power = try decode(.power, snapshot.section(.power)) { (decoder) throws(WireError) in try PowerManagementState(&decoder) }
        clock = try decode(.clock, snapshot.section(.clock)) { (decoder) throws(WireError) in try RealTimeClockState(&decoder) }
        serial = try decode(.serial, snapshot.section(.serial)) { (decoder) throws(WireError) in try SerialPortState(&decoder) }
    }
}
