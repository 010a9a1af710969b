// Package lessontest checks from outside what a lesson promises: it builds the
// lesson's program, types what a reader would type, and looks at what comes
// out, at the processes, mounts and cgroups that the kernel then has, and at
// the system calls that strace(1) saw.
//
// A lesson's main_test.go reads like its promises:
//
//	var lesson = lessontest.Lesson{Number: 3, Name: "step03-pid"}
//
//	func TestMain(m *testing.M) { lesson.Main(m) }
//
//	// The command is number 1 of its own PID namespace.
//	func TestPid(t *testing.T) {
//		lesson.Type(t, "run", "/bin/sh", "-c", "echo $$").Prints("1\n")
//	}
//
// Everything is run with
//
//	go test -exec sudo ./step03-pid
//
// or, by root, with go test ./step03-pid. As root, any program is run in an
// enclosure, see internal/enclosure: what it does by mistake, it does not do to
// this machine. Without root's rights, what needs none is tested, in no enclosure.
//
// Whoever has written the lesson's program on their own, in the folder mine of
// this repository, has that checked instead of these tests run, see
// internal/check:
//
//	go test -exec sudo ./step03-pid -impl ./mine
//
// Where there is no go tool, as in a small virtual machine, the tests run on
// programs that were built elsewhere, here as folder/step03-pid:
//
//	./step03-pid.test -built folder
package lessontest
