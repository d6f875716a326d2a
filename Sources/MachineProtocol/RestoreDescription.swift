import Wire

/// A saved machine that is to go on, in the place of a kernel to boot.
public struct RestoreDescription: Equatable, Sendable {
    /// Of the snapshot.
    public var directory: String
    /// Whether its memory is read in the background from the start on, and not only where the guest needs it.
    public var prefault: Bool
    /// Whether the guest's clocks are set forward by the time that has passed since it was saved; else they go on where they stood.
    public var stepsClock: Bool
    /// Whether it is a template: its disks were placeholders, which get the machine's now, and where it cannot be used it is removed, and
    /// the machine boots.
    public var isTemplate: Bool

    public init(directory: String, prefault: Bool = false, stepsClock: Bool = true, isTemplate: Bool = false) {
        self.directory = directory
        self.prefault = prefault
        self.stepsClock = stepsClock
        self.isTemplate = isTemplate
    }

    func encode(_ encoder: inout WireEncoder) {
        encoder.encode(directory)
        encoder.encode(prefault)
        encoder.encode(stepsClock)
        encoder.encode(isTemplate)
    }

    init(_ decoder: inout WireDecoder) throws(WireError) {
        directory = try decoder.decodeText()
        prefault = try decoder.decode(Bool.self)
        stepsClock = try decoder.decode(Bool.self)
        isTemplate = try decoder.decode(Bool.self)
    }
}
