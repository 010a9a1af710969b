package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// This program is started under these names to try what the narrator does: the
// first starts the second, which seizes it and waits for a call that it makes.
const (
	tracedName = "gonsrun-doctor-traced"
	tracerName = "gonsrun-doctor-tracer"
)

// init makes this program what it was started as, as for the other trials.
func init() {
	switch os.Args[0] {
	case tracedName:
		fmt.Println(beTraced())
		os.Exit(0)
	case tracerName:
		fmt.Println(traceParent())
		os.Exit(0)
	}
}

// seen is what both say when all went well. Otherwise it is an errno, or a sentence.
const seen = "seen"

// beTraced starts the tracer, lets it seize this process, and makes the call that
// it waits for.
func beTraced() string {
	runtime.LockOSThread()
	tracer := exec.Command("/proc/self/exe")
	tracer.Args = []string{tracerName}
	leave, err1 := tracer.StdinPipe()
	answers, err2 := tracer.StdoutPipe()
	if err := errors.Join(err1, err2, tracer.Start()); err != nil {
		return err.Error()
	}
	// Where Yama lets a process be traced by its ancestors only, this makes an
	// exception. See PR_SET_PTRACER(2const).
	unix.Prctl(unix.PR_SET_PTRACER, uintptr(tracer.Process.Pid), 0, 0, 0)
	leave.Close()
	lines := bufio.NewScanner(answers)
	if lines.Scan() && lines.Text() == "" { // seized
		unix.Chdir("/")
		lines.Scan()
	}
	tracer.Wait()
	return lines.Text()
}

// traceParent seizes the process that has started this one, and waits for its chdir.
func traceParent() string {
	runtime.LockOSThread()
	bufio.NewReader(os.Stdin).ReadByte() // up to its end, which is the leave
	tracer, err := trace.Seize(os.Getppid())
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return fmt.Sprint(uintptr(errno))
	case err != nil:
		return err.Error()
	}
	fmt.Println()
	for stop, ok := tracer.Wait(); ok; stop, ok = tracer.Wait() {
		for event, ok := tracer.Event(stop); ok; event, ok = tracer.Next() {
			if event.Kind == trace.Exit && event.Call.Name() == "chdir" {
				return seen // what we hold goes on when we end
			}
			if event.Kind != trace.Ended {
				tracer.Continue(event.Thread)
			}
		}
	}
	return "the program that was traced has ended"
}

// tryTracing tries it.
func tryTracing() error {
	ctx, cancel := context.WithTimeout(context.Background(), trialPatience)
	defer cancel()
	child := exec.CommandContext(ctx, "/proc/self/exe")
	child.Args = []string{tracedName}
	output, err := child.Output()
	said := strings.TrimSpace(string(output))
	var errno syscall.Errno
	switch n, _ := fmt.Sscan(said, (*uintptr)(&errno)); {
	case err != nil:
		return fmt.Errorf("nothing could be tried: %w", err)
	case said == seen:
		return nil
	case n == 1:
		return errno
	}
	return errors.New(said)
}

// tracing looks whether the narrator can watch.
func (m machine) tracing() Result {
	err := m.trace()
	if err == nil {
		return Result{Name: "tracing", Found: "works: the lessons and final can be narrated"}
	}
	r := Result{"tracing", Warn, "the lessons and final run, but nobody narrates them: " + describe(err), ""}
	switch scope := m.read("/proc/sys/kernel/yama/ptrace_scope"); {
	case scope == "3":
		r.ToDo = "kernel.yama.ptrace_scope is 3, and stays so: boot with another value in /etc/sysctl.d"
	case scope == "2":
		r.ToDo = m.asRoot("sysctl -w kernel.yama.ptrace_scope=1")
	case m.engine() != "":
		r.ToDo = m.withRights()
	default:
		r.ToDo = "this shows whether another program may trace:\n  strace -c true"
	}
	return r
}
