package gotool

import (
	"errors"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"strings"
)

// BuildProgram builds the program in a folder, as somebody has just written it. A
// folder that is not absolute is one of the repository root. The error is for who
// wrote the program.
func BuildProgram(root, folder, program string) error {
	source := folder
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
		err = Build(source, program, ".")
	} else { // what it imports is looked for where this repository's is
		err = Build(root, program, goFiles(source, found)...)
	}
	var broken *BuildError
	if errors.As(err, &broken) {
		return &DoesNotBuild{source, strings.TrimSpace(broken.Output)}
	}
	return err
}

// inModule reports whether a folder is in a Go module.
func inModule(dir string) bool {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if isFile(dir + "/go.mod") {
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

func isFile(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
