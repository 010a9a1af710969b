package lessontest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/check"
	"gonsrun/internal/enclosure"
)

var (
	implDir  = flag.String("impl", "", "check the program in `DIR` (from the repository's root) instead of testing the lesson's own")
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
	scratchVariable = "LESSONTEST_SCRATCH"
	programVariable = "LESSONTEST_PROGRAM"
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
	check.Main()
	flag.Parse()
	if testing.Short() { // an emulated machine is slow, and nothing hangs for that
		Patience, Soon, runLimit = 3*Patience, 3*Soon, 3*runLimit
	}
	if dir := os.Getenv(scratchVariable); dir != "" {
		os.Exit(runTests(m, scratch{dir, os.Getenv(programVariable)}))
	}
	if flagValue("test.list") != "" {
		os.Exit(m.Run())
	}
	if *implDir != "" {
		os.Exit(l.checkImpl())
	}
	enclosure.Sweep()
	dir, lock, err := enclosure.Scratch()
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
	status, err = runEnclosed(dir, program, l.Number <= lastLesson)
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
	plan, err := planEnclosure(dir, program, strict)
	if err != nil {
		return 0, err
	}
	again := enclosure.Command(os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(again.Env, scratchVariable+"="+dir, programVariable+"="+program)
	ctx, stop := untilSignal("the tests were ended")
	defer stop()
	if err := plan.Run(ctx, again); ctx.Err() != nil || again.ProcessState == nil {
		return 0, err
	}
	if status := statusOf(again.ProcessState); status >= 0 {
		return status, nil
	}
	return 0, fmt.Errorf("the tests were ended (%v): has the program used up all memory, or sent them a signal?", again.ProcessState)
}

// untilSignal returns a context that ends with a signal that would end us, and what
// was ended in its cause.
func untilSignal(what string) (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { cancel(fmt.Errorf("%s: %v", what, <-signals)) }()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// planEnclosure plans the enclosure for the tests of this process: the files that
// the go tool wants written can be written to.
func planEnclosure(dir, program string, strict bool) (enclosure.Plan, error) {
	plan, err := enclosure.New(dir, strict)
	if err != nil {
		return plan, err
	}
	for _, name := range []string{"testlogfile", "coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"} {
		if file := flagValue("test." + name); file != "" {
			if !filepath.IsAbs(file) {
				file = filepath.Join(flagValue("test.outputdir"), file)
			}
			plan.Writable = append(plan.Writable, absolute(file))
			if made, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644); err == nil {
				made.Close()
			}
		}
	}
	if dir := flagValue("test.gocoverdir"); dir != "" {
		plan.Writable = append(plan.Writable, absolute(dir))
	}
	plan.Keep = append(plan.Keep, filepath.Dir(program))
	if root, err := Repository(); err == nil {
		plan.Keep = append(plan.Keep, root)
	}
	return plan, nil
}

func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

func absolute(path string) string {
	if path, err := filepath.Abs(path); err == nil {
		return path
	}
	return path
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

// BuiltProgram returns the path of a program that was built before the tests, "" when
// nothing was, see Built.
func BuiltProgram(name string) string {
	if *builtDir == "" {
		return ""
	}
	path, _ := filepath.Abs(filepath.Join(*builtDir, name))
	return path
}

func stop(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Built reports whether the programs were built before the tests, -built.
func Built() bool { return *builtDir != "" }
