package enclosure

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// variable hands the plan to the first process of an enclosure.
const variable = "GONSRUN_ENCLOSURE"

// Enter makes an enclosure of the new namespaces, in the process that Run has
// started for that, and starts the program again, in the same process. In every
// other process it does nothing. It ends the process where it cannot.
func Enter() {
	description := os.Getenv(variable)
	if description == "" {
		return
	}
	runtime.LockOSThread()
	fmt.Fprintf(os.Stderr, "the enclosure cannot be made: %v\n", enter(description))
	os.Exit(1)
}

// Command returns the command that starts this program once more, for Run.
func Command(args ...string) *exec.Cmd {
	again := exec.Command("/proc/self/exe", args...)
	again.Args[0] = os.Args[0]
	again.Env = os.Environ()
	return again
}

// Run runs this program once more, as command says, as the first process of an
// enclosure, and waits for its end. When ctx ends before, it kills all that is in
// there, and returns the cause.
func (p Plan) Run(ctx context.Context, command *exec.Cmd) error {
	description, err := json.Marshal(p)
	if err != nil {
		return err
	}
	command.Env = append(command.Env, variable+"="+string(description))
	command.SysProcAttr = &unix.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL, // with the first process of their namespace, all others end
	}
	// What is ignored here (nohup) would be ignored in there, too: what is caught is
	// not inherited.
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
			defer signal.Ignore(sig)
		}
	}
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends that made the process
	defer runtime.UnlockOSThread()
	defer makeRoom()()
	if err := command.Start(); err != nil {
		return fmt.Errorf("the enclosure cannot have namespaces of its own: %w. In Docker it takes: docker run --privileged", err)
	}
	defer removeGroups(p.Group)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		command.Process.Kill()
		thawGroups(p.Group)
		<-ended
		return context.Cause(ctx)
	}
}

// eventually waits until is reports true, and reports whether it did in time.
func eventually(patience time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if is() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
