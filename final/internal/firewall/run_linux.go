package firewall

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gonsrun/internal/narrate"
)

// run runs a program, gives it input, and waits for its end. What it prints is
// told only in an error.
func run(path, why, input string, arguments ...string) error {
	arguments = append([]string{filepath.Base(path)}, arguments...)
	output, status, err := start(path, why, input, arguments)
	if err == nil && status == 0 {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("exit status %d: %s", status.ExitStatus(), strings.TrimSpace(output))
	}
	return fmt.Errorf("firewall: %s: %w", path, err)
}

func start(path, why, input string, arguments []string) (output string, status syscall.WaitStatus, err error) {
	stdin, err := filled(input)
	if err != nil {
		return "", 0, err
	}
	defer stdin.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return "", 0, err
	}
	defer reader.Close()

	var pid int
	err = narrate.Try(why, fmt.Sprintf("execve(%s, %s, …)", narrate.Quote(path), narrate.Strings(arguments)),
		func() (err error) {
			pid, err = syscall.ForkExec(path, arguments, &syscall.ProcAttr{
				Env:   os.Environ(),
				Files: []uintptr{stdin.Fd(), writer.Fd(), writer.Fd()},
			})
			return err
		})
	writer.Close()
	if err != nil {
		return "", 0, err
	}
	text, _ := io.ReadAll(reader) // up to its end
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return string(text), status, err
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
