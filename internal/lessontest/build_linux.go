package lessontest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gonsrun/internal/gotool"
)

// Repository returns the folder that holds go.mod.
func Repository() (string, error) { return gotool.Repository() }

// NeedSource returns the repository's folder, and skips the test where the
// programs come from -built.
func NeedSource(t testing.TB) string {
	t.Helper()
	root, err := Repository()
	if err != nil || *builtDir != "" {
		t.Skip("-built: this test reads the source, and that is not here")
	}
	return root
}

// watchSources lets the go command know what the tests depend on. It keeps the
// result of a test until the test's own code, or a file that the test opened,
// has changed; and the program under test is neither.
var watchSources = sync.OnceFunc(func() {
	root, err := Repository()
	if err != nil {
		return
	}
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case entry.IsDir() && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) == ".go" || entry.Name() == "go.mod":
			if file, err := os.Open(path); err == nil {
				file.Close()
			}
		}
		return nil
	})
})

// Build builds the program in the folder source, as the user who called sudo.
func Build(source, program string) error {
	return goBuild(source, program, ".")
}

// goBuild runs go build in the folder dir. Packages are given as for the go tool.
func goBuild(dir, program string, packages ...string) error {
	return gotool.Build(dir, program, packages...)
}

// buildError is what the go tool says of a program that does not build.
type buildError struct {
	command *exec.Cmd
	output  string
	err     error
}

// Error shows the line, too.
func (e *buildError) Error() string {
	return (&gotool.BuildError{Command: e.command, Output: e.output, Err: e.err}).Error()
}

// GoTool returns a command that runs the go tool, see gotool.Command.
func GoTool(args ...string) (*exec.Cmd, error) { return gotool.Command(args...) }

// ordinaryUser is a user who is not root.
type ordinaryUser struct {
	uid, gid int
	home     string
}

func (u ordinaryUser) credential() *syscall.Credential {
	return &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}
}

// sudoCaller returns the user who called sudo.
func sudoCaller() (ordinaryUser, bool) {
	caller, ok := gotool.SudoCaller()
	return ordinaryUser{caller.UID, caller.GID, caller.Home}, ok
}
