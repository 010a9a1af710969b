package check

import "time"

// Report is what a check has found. It ends with the first cause: what comes
// after that has not been looked at.
type Report struct {
	Lesson   int
	Promises []Verdict // what the lessons promise up to this one, in their order
	Manners  []Verdict // good citizenship; none while a promise is broken
	Output   []string  // at most 12 lines of what the program printed, when something is wrong
	Took     time.Duration

	Suggested int // the lesson whose calls the program makes
}

// Verdict is one promise, kept or not.
type Verdict struct {
	Lesson  int    // whose promise it is
	Right   bool   // it is kept
	Promise string // a whole sentence: "The command is number 1 of its own PID namespace."
	Cause   string // when it is not kept: a sentence or two, from what was seen
}

// First is the first cause: of a broken promise, or else of bad manners. It is ""
// when all is right.
func (r Report) First() string {
	for _, verdicts := range [][]Verdict{r.Promises, r.Manners} {
		for _, v := range verdicts {
			if !v.Right {
				return v.Cause
			}
		}
	}
	return ""
}

// Keeps reports whether the program keeps all promises of the lesson, and of
// those before. Its manners may still be bad.
func (r Report) Keeps() bool {
	for _, v := range r.Promises {
		if !v.Right {
			return false
		}
	}
	return len(r.Promises) > 0
}

// Place is the lesson that the program is at: the first whose promises it does not
// keep, or the one after the last of the report. The exercises begin with lesson 2.
func (r Report) Place() int {
	wrong := r.broken()
	switch {
	case wrong == nil:
		return r.Lesson + 1
	case wrong.Lesson < 2:
		return max(2, r.Suggested)
	}
	return wrong.Lesson
}
