import FoundationEssentials

/// Decodes a document of at most `limit` bytes; `what` begins the error's text.
func decodeJSON<Document: Decodable>(
    _ type: Document.Type, from bytes: [UInt8], limit: UInt64, what: String
) throws(ImageError) -> Document {
    guard bytes.count <= limit else { throw .tooLarge(what: what, found: UInt64(bytes.count), limit: limit) }
    do {
        return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
        throw .invalidDocument(what: what, reason: reason(of: error))
    } catch let error as ImageError {
        throw .invalidDocument(what: what, reason: "\(error)")
    } catch {
        throw .invalidDocument(what: what, reason: "not a JSON document")
    }
}

/// Encodes with sorted keys, so that the same document always has the same bytes.
func encodeJSON(_ document: some Encodable) throws(ImageError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return [UInt8](try encoder.encode(document))
    } catch {
        throw .invalidDocument(what: "\(type(of: document))", reason: "cannot be written as JSON")
    }
}

private func reason(of error: DecodingError) -> String {
    func place(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
        var text = ""
        for key in context.codingPath + (last.map { [$0] } ?? []) {
            if let index = key.intValue { text += "[\(index)]" } else { text += (text.isEmpty ? "" : ".") + key.stringValue }
        }
        return text.isEmpty ? "the document" : quoted(text)
    }
    switch error {
    case .keyNotFound(let key, let context):
        return "\(place(context, key)) is missing"
    case .typeMismatch(_, let context):
        return "\(place(context)) has the wrong type"
    case .valueNotFound(_, let context):
        return "\(place(context)) is null"
    case .dataCorrupted(let context):
        // A number that does not fit its field is reported as if the whole were no JSON.
        return context.codingPath.isEmpty ? "not a JSON document, or one with a number that is out of range"
            : "\(place(context)) is not valid"
    @unknown default:
        return "not what was expected"
    }
}
