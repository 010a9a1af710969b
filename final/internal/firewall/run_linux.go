package firewall

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// work is what goes on around the run of a tool.
type work struct {
	meanwhile func()   // is called while the tool works
	lock      *os.File // the tool holds it as long as it works, whatever becomes of us
}

// run runs a program, gives it input, and waits for its end. What it prints is
// told only in an error.
func (w work) run(path, input string, arguments ...string) error {
	p, err := w.start(path, input, append([]string{filepath.Base(path)}, arguments...))
	if w.meanwhile != nil {
		w.meanwhile()
	}
	if err == nil {
		err = p.wait()
	}
	if err != nil {
		return fmt.Errorf("firewall: %s: %w", path, err)
	}
	return nil
}

// process is a program that runs.
type process struct {
	pid    int
	output *os.File // a pipe's end: what it prints
}

func (w work) start(path, input string, arguments []string) (*process, error) {
	stdin, err := filled(input)
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer writer.Close()

	files := []uintptr{stdin.Fd(), writer.Fd(), writer.Fd()}
	if w.lock != nil {
		files = append(files, w.lock.Fd())
	}
	pid, err := syscall.ForkExec(path, arguments, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // Ctrl-C is not meant for it
	})
	if err != nil {
		reader.Close()
		return nil, os.NewSyscallError("execve", err)
	}
	return &process{pid, reader}, nil
}

// wait waits for the program's end.
func (p *process) wait() error {
	defer p.output.Close()
	text, _ := io.ReadAll(p.output) // up to its end
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case status.Signaled():
			return fmt.Errorf("%s killed it", unix.SignalName(status.Signal()))
		case status != 0:
			return fmt.Errorf("exit status %d: %s", status.ExitStatus(), strings.TrimSpace(string(text)))
		default:
			return nil
		}
	}
}

// filled is a pipe with text in it and nobody at its other end. text must fit
// into a pipe, 64 KiB.
func filled(text string) (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = writer.WriteString(text)
	writer.Close()
	return reader, err
}
