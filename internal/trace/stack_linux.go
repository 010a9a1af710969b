package trace

// Stack returns the program counters of a stopped thread: where it is, and where
// each function on its stack returns to, from the innermost outward. It follows
// the frame pointers, which Go keeps on amd64 and arm64. The addresses are the
// process's own: a position-independent program is loaded elsewhere each time,
// see Bias.
func (t *Thread) Stack() []uint64 {
	r, err := registers(t.ID)
	if err != nil {
		return nil
	}
	memory := t.Memory()
	counters := []uint64{t.pointer, callerOf(memory, &r)}
	const deepest = 64
	for frame := framePointer(&r); frame != 0 && len(counters) < deepest; {
		back, err := memory.Word(frame + 8)
		if err != nil || back == 0 {
			break
		}
		counters = append(counters, back)
		next, err := memory.Word(frame)
		if err != nil || next == frame {
			break
		}
		frame = next
	}
	return counters
}
