package lessontest

import (
	"errors"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"gonsrun/internal/check"
	"gonsrun/internal/enclosure"
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
	if err := buildImpl(root, *implDir, program); err != nil {
		return "", fmt.Errorf("-impl %s: %w", *implDir, err)
	}
	return program, nil
}

// checkImpl checks the program that -impl names, and prints the report that
// docs/learn prints, too. It returns the exit status.
func (l Lesson) checkImpl() int {
	if os.Geteuid() != 0 {
		stop(fmt.Errorf("nothing was tested: a check needs root's rights, and you are user %d. In the folder of the repository, type:\n  go test -exec sudo ./%s -impl %s",
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
	if err != nil {
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

// buildImpl builds the program in the folder that -impl names.
func buildImpl(root, impl, program string) error {
	source := impl
	if !filepath.IsAbs(source) {
		source = filepath.Join(root, source)
	}
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no folder %s. Give the folder of your program as seen from %s", source, root)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is a file. Give the folder that your program is in", source)
	}
	found, err := build.ImportDir(source, 0)
	var none *build.NoGoError
	switch {
	case errors.As(err, &none):
		return fmt.Errorf("there is no Go program in %s: no file there ends in .go and is for Linux", source)
	case err == nil && found.Name != "main":
		return fmt.Errorf("the Go files in %s are of package %s. A program is of package main", source, found.Name)
	}
	if inModule(source) {
		err = goBuild(source, program, ".")
	} else { // what it imports is looked for where this repository's is
		err = goBuild(root, program, goFiles(source, found)...)
	}
	var broken *buildError
	if errors.As(err, &broken) {
		return fmt.Errorf("the program in %s does not build. The go tool says:\n%s", source, strings.TrimSpace(broken.output))
	}
	return err
}

// inModule reports whether a folder is in a Go module.
func inModule(dir string) bool {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if exists(dir + "/go.mod") {
			return true
		}
	}
	return false
}

// goFiles returns the paths of a package's files.
func goFiles(dir string, found *build.Package) (files []string) {
	for _, name := range found.GoFiles {
		files = append(files, filepath.Join(dir, name))
	}
	return files
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
