package lessontest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"gonsrun/internal/check"
	"gonsrun/internal/enclosure"
	"gonsrun/internal/gotool"
)

// build returns the path of the program under test: given by -built, or built
// into a folder in dir, with the others that the tests start.
func (l Lesson) build(dir string, also []string) (program string, err error) {
	if *builtDir != "" {
		program, err := filepath.Abs(filepath.Join(*builtDir, l.Name))
		if err == nil {
			_, err = os.Stat(program)
		}
		return program, err
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	programs := filepath.Join(dir, "bin")
	if err := os.Mkdir(programs, 0o755); err != nil {
		return "", err
	}
	for _, folder := range also {
		if err := Build(filepath.Join(root, folder), filepath.Join(programs, filepath.Base(folder))); err != nil {
			return "", err
		}
	}
	program = filepath.Join(programs, l.Name)
	if *implDir == "" {
		return program, Build(filepath.Join(root, l.Name), program)
	}
	if err := gotool.BuildProgram(root, *implDir, program); err != nil {
		return "", fmt.Errorf("-impl %s: %w", *implDir, err)
	}
	return program, nil
}

// checkImpl checks the program that -impl names, and prints the report that
// docs/learn prints, too. It returns the exit status.
func (l Lesson) checkImpl() int {
	if os.Geteuid() != 0 {
		stop(fmt.Errorf("nothing was tested: a check needs root's rights, and you are user %d. In the folder of the repository, type:\n  go test -v -exec sudo ./%s -impl %s",
			os.Geteuid(), l.Name, shellQuote(*implDir)))
	}
	enclosure.Sweep()
	dir, lock, err := enclosure.Scratch()
	if err != nil {
		stop(err)
	}
	defer runtime.KeepAlive(lock)
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	program, err := l.build(dir, nil)
	var mistakes *gotool.DoesNotBuild
	switch {
	case errors.As(err, &mistakes):
		for _, line := range check.DoesNotCompile(mistakes.Mistakes(filepath.Clean(*implDir))) {
			fmt.Fprintln(os.Stderr, line.Text)
		}
		return 1
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, ended := untilSignal("the check was ended")
	defer ended()
	report, err := check.Program(ctx, l.Number, program)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, line := range report.Lines(80, "go run -exec sudo "+shellQuote(*implDir)) {
		fmt.Println(line.Text)
	}
	if report.First() != "" {
		return 1
	}
	return 0
}
