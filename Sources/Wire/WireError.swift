/// A message that does not decode.
public enum WireError: Error, Equatable, Sendable {
    /// The message ends inside a value that begins at this offset.
    case truncated(offset: Int)
    /// A length or count at this offset is larger than its field allows.
    case tooLong(offset: Int, found: UInt64, limit: UInt64)
    /// A value at this offset is none of its field's values.
    case invalidValue(offset: Int, found: UInt64)
    /// Text at this offset is not UTF-8.
    case invalidText(offset: Int)
    /// Bytes remain after the last field.
    case trailingBytes(offset: Int)
}
