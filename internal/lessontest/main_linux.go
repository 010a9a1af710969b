package lessontest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	implDir  = flag.String("impl", "", "test the program in `DIR` (from the repository's root) instead of the lesson's own: its promises, not its narration")
	builtDir = flag.String("built", "", "test the programs that stand built in `DIR`; nothing is built")
)

// scratch is what the tests of one package share. The first process makes it,
// and hands it to the second one, which runs the tests, through the environment.
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
func (l Lesson) Main(m *testing.M) { Main(m, l.Name, unix.CLONE_NEWNS|unix.CLONE_NEWNET) }

// Main builds the program in the folder name of the repository, runs the tests
// and removes what they used.
//
// As root the tests run in namespaces of their own, given as flags of
// unshare(2). Then a mount, or a network interface, that was left behind is
// known to be the program's, whatever else this machine is doing. All mounts in
// the new mount namespace are made shared, as systemd has them on most systems:
// a program that forgets to make its mounts private is seen here as it is there.
func Main(m *testing.M, name string, namespaces uintptr) {
	flag.Parse()
	if testing.Short() { // an emulated machine is slow, and nothing hangs for that
		Patience, Soon, runLimit = 3*Patience, 3*Soon, 3*runLimit
	}
	if dir := os.Getenv(scratchVariable); dir != "" {
		os.Exit(runTests(m, scratch{dir, os.Getenv(programVariable)}, namespaces))
	}
	if flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "gonsrun-test-")
	if err != nil {
		stop(err)
	}
	status := buildAndRun(m, dir, name, namespaces)
	os.RemoveAll(dir)
	os.Exit(status)
}

// buildAndRun is Main's work between making and removing the folder dir.
func buildAndRun(m *testing.M, dir, name string, namespaces uintptr) (status int) {
	os.Chmod(dir, 0o755) // an ordinary user starts the program in it, too
	program, err := programOf(name, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Geteuid() != 0 || namespaces == 0 {
		return runTests(m, scratch{dir, program}, 0)
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), scratchVariable+"="+dir, programVariable+"="+program)
	again.SysProcAttr = &unix.SysProcAttr{Unshareflags: namespaces, Pdeathsig: unix.SIGKILL}
	if err := again.Run(); err != nil && again.ProcessState == nil {
		fmt.Fprintf(os.Stderr, "the tests cannot start in namespaces of their own: %v\n", err)
		return 1
	}
	if !again.ProcessState.Success() {
		return 1
	}
	return 0
}

// runTests runs the tests in this process.
func runTests(m *testing.M, s scratch, namespaces uintptr) int {
	shared = s
	os.Unsetenv(scratchVariable)
	os.Unsetenv(programVariable)
	if namespaces&unix.CLONE_NEWNS != 0 {
		if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
			stop(fmt.Errorf(`mount("none", "/", "", MS_REC|MS_SHARED, NULL): %w`, err))
		}
	}
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

// programOf returns the path of the program under test: built into dir, or
// given by -built.
func programOf(name, dir string) (string, error) {
	if *builtDir != "" {
		program, err := filepath.Abs(filepath.Join(*builtDir, name))
		if err == nil {
			_, err = os.Stat(program)
		}
		return program, err
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, name)
	if *implDir != "" {
		source = *implDir
		if !filepath.IsAbs(source) {
			source = filepath.Join(root, source)
		}
		if info, err := os.Stat(source); err != nil || !info.IsDir() {
			return "", fmt.Errorf("-impl %s: %s is not a folder. Give the folder of your program as seen from %s", *implDir, source, root)
		}
	}
	program := filepath.Join(dir, name)
	return program, Build(source, program)
}

// ownProgramOnly skips a test of what only the lesson's own program has: -impl
// is held to the promises alone.
func ownProgramOnly(t *testing.T) {
	t.Helper()
	if *implDir != "" {
		t.Skip("-impl: the promises are checked, not the narration")
	}
}
