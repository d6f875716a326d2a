/// One of the programs that are compared.
struct Participant<Sample> {
    let name: String
    /// Runs the program once.
    let measure: () throws -> Sample
}

/// Runs the participants in turns (A B A B …), after one turn that does not count: it fills the page cache and wakes
/// the processors. Returns the samples of each participant.
func interleave<Sample>(runs: Int, _ participants: [Participant<Sample>]) throws -> [[Sample]] {
    var samples = [[Sample]](repeating: [], count: participants.count)
    for run in 0...runs {
        for (index, participant) in participants.enumerated() {
            let sample = try participant.measure()
            if run > 0 { samples[index].append(sample) }
        }
    }
    return samples
}
