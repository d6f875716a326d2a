import MachineProtocol

extension Supervisor {
    /// `svmm pause`: the guest stands still until it is resumed, or is to shut down.
    func pause() -> ControlReply {
        if let refusal = refusalOfPauses { return refusal }
        if let refusal = refusalWhileSaving { return refusal }
        guard !isPaused else { return .failed("it is paused already; svmm resume lets it go on") }
        guard let machine, machine.outcome == nil else { return .failed("it is being restarted; try again") }
        guard machine.pause() else { return .failed("a processor is busy with a device for too long; it runs on, try again") }
        isPaused = true
        return .done
    }

    /// `svmm resume`.
    func resume() -> ControlReply {
        if let refusal = refusalOfPauses { return refusal }
        if let refusal = refusalWhileSaving { return refusal }
        guard isPaused else { return .failed("it is not paused, expected a machine that svmm pause has stopped") }
        goOn()
        return .done
    }

    /// Lets a paused guest run, for whatever reason.
    func goOn() {
        guard isPaused else { return }
        // What is being saved stands still until it is.
        guard saving?.isWritten ?? true else {
            saving?.resumes = true
            return
        }
        isPaused = false
        machine?.resume()
    }

    /// What would change a machine that is being saved.
    var refusalWhileSaving: ControlReply? {
        saving == nil ? nil : .failed("it is being saved; try again when that is done")
    }

    /// A container's monitor waits for its guest's answers.
    private var refusalOfPauses: ControlReply? {
        companion == nil ? nil : .failed("it is a container's machine, expected svmm container pause and unpause for that")
    }
}
