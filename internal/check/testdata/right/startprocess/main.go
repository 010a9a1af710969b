// lesson: step02-uts

// Startprocess uses package os alone: os.StartProcess and Process.Wait. The name of
// its container is its own choice: the lesson asks for none.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) > 1 && (os.Args[1] == "-h" || os.Args[1] == "--help" || os.Args[1] == "help") {
		fmt.Println("startprocess run COMMAND [ARG...] runs a command under a hostname of its own.")
		os.Exit(0)
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "startprocess: nothing to run. Type: startprocess run COMMAND [ARG...]")
		os.Exit(125)
	}
	if os.Args[1] == "run" {
		os.Exit(parent())
	}
	if os.Args[1] == "child" {
		os.Exit(child())
	}
	fmt.Fprintln(os.Stderr, "startprocess: the only word I know is run")
	os.Exit(125)
}

func parent() int {
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	argv := append([]string{os.Args[0], "child"}, os.Args[2:]...)
	p, err := os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "startprocess:", err)
		return 125
	}
	result := make(chan int, 1)
	go func() {
		state, _ := p.Wait()
		ws := state.Sys().(syscall.WaitStatus)
		if ws.Signaled() {
			result <- 128 + int(ws.Signal())
			return
		}
		result <- ws.ExitStatus()
	}()
	for {
		select {
		case status := <-result:
			return status
		case s := <-sigs:
			if s == syscall.SIGTERM || s == syscall.SIGHUP {
				p.Kill()
				<-result
				return 128 + int(s.(syscall.Signal))
			}
		}
	}
}

func child() int {
	if err := syscall.Sethostname([]byte("workshop")); err != nil {
		fmt.Fprintln(os.Stderr, os.NewSyscallError("sethostname", err))
		return 125
	}
	file, err := exec.LookPath(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if os.IsPermission(err) || os.Args[2][0] == '/' && exists(os.Args[2]) {
			return 126
		}
		return 127
	}
	fmt.Fprintln(os.Stderr, file, syscall.Exec(file, os.Args[2:], os.Environ()))
	return 126
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }
