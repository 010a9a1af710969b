package lessontest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	implDir  = flag.String("impl", "", "test the program in `DIR` (from the repository's root) instead of the lesson's own: its promises, not its narration")
	builtDir = flag.String("built", "", "test the programs that stand built in `DIR`; nothing is built")
)

// scratch is what the tests of one package share. As root the first process
// makes it, and hands it to the second one, which runs the tests in an enclosure,
// through the environment.
type scratch struct {
	dir     string // removed at the end
	program string // the program under test
}

var shared scratch

const (
	enclosureVariable = "LESSONTEST_ENCLOSURE"
	scratchVariable   = "LESSONTEST_SCRATCH"
	programVariable   = "LESSONTEST_PROGRAM"
)

// Lesson is a lesson whose program is tested from outside.
type Lesson struct {
	Number int    // 3
	Name   string // step03-pid

	user *ordinaryUser // who types; nil for whoever runs the test
}

// Main builds the lesson's program, runs the tests and removes what they used.
//
// As root the tests run in an enclosure. Then whatever the program does by
// mistake, it does not do to this machine; and a mount or a network interface
// that was left behind is known to be the program's.
//
// also names folders with more programs, which are built beside the one under
// test: in an enclosure nothing can be built.
func (l Lesson) Main(m *testing.M, also ...string) {
	flag.Parse()
	if *implDir != "" {
		runLimit /= 3
	}
	if testing.Short() { // an emulated machine is slow, and nothing hangs for that
		Patience, Soon, runLimit = 3*Patience, 3*Soon, 3*runLimit
	}
	if description := os.Getenv(enclosureVariable); description != "" {
		runtime.LockOSThread()
		stop(fmt.Errorf("the tests cannot enter namespaces of their own: %w", enter(description)))
	}
	if dir := os.Getenv(scratchVariable); dir != "" {
		os.Exit(runTests(m, scratch{dir, os.Getenv(programVariable)}))
	}
	if flagValue("test.list") != "" {
		os.Exit(m.Run())
	}
	if *implDir != "" && l.Number > 1 && os.Geteuid() != 0 {
		stop(fmt.Errorf("nothing was tested: what %s does needs root's rights, and you are user %d. In the folder of the repository, type:\n  go test -exec sudo ./%s -impl %s",
			l.Name, os.Geteuid(), l.Name, shellQuote(*implDir)))
	}
	sweep()
	dir, lock, err := newScratch()
	if err != nil {
		stop(err)
	}
	status := l.buildAndRun(m, dir, also)
	os.RemoveAll(dir)
	runtime.KeepAlive(lock)
	os.Exit(status)
}

// buildAndRun is Main's work between making and removing the folder dir.
func (l Lesson) buildAndRun(m *testing.M, dir string, also []string) (status int) {
	os.Chmod(dir, 0o755) // an ordinary user starts the program in it, too
	program, err := l.build(dir, also)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Geteuid() != 0 {
		return runTests(m, scratch{dir, program})
	}
	status, err = runEnclosed(dir, program, l.Number <= lastLesson || *implDir != "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// lastLesson is the last one that learners write a program of their own for.
// final, which comes behind it, changes sysctls and makes devices.
const lastLesson = 6

// runEnclosed runs this program once more, as the first process of an enclosure,
// and returns its exit status.
func runEnclosed(dir, program string, strict bool) (status int, err error) {
	e, err := enclosureOf(dir, program, strict)
	if err != nil {
		return 0, err
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), enclosureVariable+"="+e.String())
	again.SysProcAttr = &unix.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL, // with the first process of their namespace, all others end
	}
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends that made the process
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)
	defer makeRoom()()
	if err := again.Start(); err != nil {
		return 0, fmt.Errorf("the tests cannot have namespaces of their own: %w. In Docker it takes: docker run --privileged", err)
	}
	defer removeGroups(e.Group)
	ended := make(chan error, 1)
	go func() { ended <- again.Wait() }()
	select {
	case err = <-ended:
	case sig := <-signals:
		again.Process.Kill()
		thawGroups(e.Group)
		<-ended
		return 0, fmt.Errorf("the tests were ended: %v", sig)
	}
	if again.ProcessState == nil {
		return 0, err
	}
	if status := statusOf(again.ProcessState); status >= 0 {
		return status, nil
	}
	return 0, fmt.Errorf("the tests were ended (%v): has the program used up all memory, or sent them a signal?", again.ProcessState)
}

// runTests runs the tests in this process.
func runTests(m *testing.M, s scratch) int {
	shared = s
	os.Unsetenv(scratchVariable)
	os.Unsetenv(programVariable)
	// A process that loses its parent becomes our child: none gets lost.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		stop(fmt.Errorf("prctl(PR_SET_CHILD_SUBREAPER, 1): %w", err))
	}
	return m.Run()
}

func stop(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Built reports whether the programs were built before the tests, -built.
func Built() bool { return *builtDir != "" }

// ownProgramOnly skips a test of what only the lesson's own program has: -impl
// is held to the promises alone.
func ownProgramOnly(t *testing.T) {
	t.Helper()
	if *implDir != "" {
		t.Skip("-impl: the promises are checked, not the narration")
	}
}
