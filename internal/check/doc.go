// Package check looks at a learner's program from outside, and says in one
// sentence for each promise of a lesson whether the program keeps it; and of the
// first that it does not keep, why.
//
// Whoever calls Program needs root's rights. The program is run in an enclosure,
// see internal/enclosure, which Program makes itself, a new one each time: it
// starts this same executable once more, as the first process in there. So main,
// or a test's TestMain, begins with
//
//	check.Main()
//
// which returns at once in the process that was started by hand, and never in the
// one that Program has started. After that, anywhere:
//
//	report, err := check.Program(ctx, 3, "/tmp/built/mine")
//	report.First() // "" when all is right, else the cause
//
// The program may be in any language. It is built before, by the caller: inside
// an enclosure nothing can be built. An error is none of the program's: the check
// could not be made.
package check
