import Wire

/// What the fields of descriptions have in common.
enum FieldLimit {
    /// Bytes of a text, and elements of a list. More than a command line holds (MAX_ARG_STRLEN is 128 KiB), so that what is too
    /// long for the kernel, or too many for the machine, is refused where its option is known.
    static let length = 1 << 17
}

extension WireDecoder {
    /// A path, or other text of a description.
    mutating func decodeText() throws(WireError) -> String {
        try decodeString(limit: FieldLimit.length)
    }

    mutating func decodeOptionalText() throws(WireError) -> String? {
        try decodeOptional { (decoder) throws(WireError) in try decoder.decodeText() }
    }

    /// A list of a description.
    mutating func decodeList<Element>(
        _ body: (inout WireDecoder) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        try decodeArray(limit: FieldLimit.length, body)
    }
}
