package lesson

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// side is who we are.
var side = "host"

// What the host's side hands to the container's side stands in one environment
// variable: its pid, and how it reports. The command does not get it.
const handedVariable = "GONSRUN_HOST"

var handed struct {
	host   string // the pid of the host's side, as /proc has it
	status string // our /proc/PID/status, read at the beginning
}

// Host is the pid of the host's side, which both sides know: what they share
// can be named after it.
func Host() string {
	if side == "container" {
		return handed.host
	}
	if self, err := os.Readlink("/proc/self"); err == nil {
		return self // in a PID namespace without its own /proc not what getpid says
	}
	return strconv.Itoa(os.Getpid())
}

// Start starts the container's side, and gives it the terminal if that is ours:
// an interactive shell wants to be in the foreground, in a process group that
// its PID namespace can name.
func Start(container *exec.Cmd) error {
	container.Env = append(os.Environ(), handedVariable+"="+Host()+" "+strconv.FormatBool(settings.Quiet)+" "+strconv.FormatBool(settings.JSON))
	if container.SysProcAttr == nil {
		container.SysProcAttr = &syscall.SysProcAttr{}
	}
	terminal.prepare(container.SysProcAttr)
	TakeSignals() // from the clone on there is something to end, and a terminal to give back
	if err := container.Start(); err != nil {
		return err
	}
	host.started(container)
	return nil
}

// Status ends the run: err is what came of waiting for the container. It
// returns the exit status to pass on: the command's own, or 128 plus the number
// of the signal that killed it, or that told us to kill it.
func Status(err error) int {
	sig := host.over()
	var exit *exec.ExitError
	switch {
	case sig != 0:
		return 128 + int(sig)
	case errors.As(err, &exit):
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return 128 + int(status.Signal())
		}
		return exit.ExitCode()
	}
	must(err, 2)
	return 0
}

// becomeContainerSide takes over what the host's side hands to this one.
func becomeContainerSide() {
	words := strings.Fields(os.Getenv(handedVariable))
	if len(words) != 3 {
		failUsage(`"child" is the container's side, and nobody types it`)
	}
	side = "container"
	handed.host = words[0]
	settings.Quiet, settings.JSON = words[1] == "true", words[2] == "true"

	// Ctrl-C reaches this side, too, and the host's side decides what it means.
	// Caught, and not ignored: what is ignored stays so over execve.
	if inForeground() {
		signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT)
	}

	// Who killed the host's side before our parent-death signal was set has not
	// ended us. /proc is still the host's, and so are the pids in it.
	handed.status = proc.Read("/proc/self/status")
	if parent := proc.Field(handed.status, "PPid"); parent != "" && parent != handed.host {
		os.Exit(statusFailed)
	}
}
