/// Measured values of one figure, in the order of the runs.
struct Samples {
    let values: [Double]

    var count: Int { values.count }
    var minimum: Double { values.min() ?? .nan }
    var maximum: Double { values.max() ?? .nan }

    /// The middle value, or the mean of the two in the middle.
    var median: Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// One ratio for each pair of runs that followed each other, so that what slows the whole machine for a while slows
    /// both sides of a ratio.
    func ratios(to other: Samples) -> Samples {
        Samples(values: zip(values, other.values).map { $0 / $1 })
    }
}
