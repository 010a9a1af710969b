package lessontest

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Repository returns the folder that holds go.mod.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", errors.New("no go.mod here or above: run the tests in the repository, or give -built DIR")
		}
		dir = filepath.Dir(dir)
	}
}

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

// buildError is what the go tool says of a program that does not build.
type buildError struct {
	command *exec.Cmd
	output  string
	err     error
}

// Error shows the line, too.
func (e *buildError) Error() string {
	return fmt.Sprintf("cd %s && %s: %v\n%s", e.command.Dir, strings.Join(e.command.Args, " "), e.err, e.output)
}

// goBuild runs go build in the folder dir. Packages are given as for the go tool.
func goBuild(dir, program string, packages ...string) error {
	folder := filepath.Dir(program)
	if caller, ok := sudoCaller(); ok {
		os.Chown(folder, caller.uid, caller.gid)
		defer os.Chown(folder, 0, 0)
	}
	// -buildvcs=false: git would refuse to look at the repository of another user.
	command, err := GoTool(append([]string{"build", "-buildvcs=false", "-o", program}, packages...)...)
	if err != nil {
		return err
	}
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		return &buildError{command, string(output), err}
	}
	return nil
}

// GoTool returns a command that runs the go tool. Under "go test -exec sudo"
// PATH often lacks it and HOME is root's. So it is run with the environment
// that the go command above us has, which started sudo, and as the user who
// typed it: no file of root's gets into that user's caches.
func GoTool(args ...string) (*exec.Cmd, error) {
	tool, environment := goAbove(os.Getppid())
	if tool == "" {
		tool = goInstalled()
		environment = os.Environ()
	}
	if tool == "" {
		return nil, errors.New("the go tool is not in PATH, nor in " + build.Default.GOROOT + "/bin: install it, or give -built DIR")
	}
	command := exec.Command(tool, args...)
	command.Env = append(environment, "PWD=") // of that command, not of this one
	if caller, ok := sudoCaller(); ok {
		command.Env = append(command.Env, "HOME="+caller.home)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: caller.credential()}
	}
	return command, nil
}

// goAbove looks for the go command among the processes that started us, and
// returns its program and its environment.
func goAbove(pid int) (tool string, environment []string) {
	for ; pid > 1; pid = parentOf(pid) {
		proc := "/proc/" + itoa(pid)
		exe, err := os.Readlink(proc + "/exe")
		if err == nil && filepath.Base(exe) == "go" {
			environ, _ := os.ReadFile(proc + "/environ")
			return exe, strings.Split(strings.TrimRight(string(environ), "\x00"), "\x00")
		}
	}
	return "", nil
}

// goInstalled looks where the go tool usually is.
func goInstalled() string {
	places := []string{build.Default.GOROOT + "/bin/go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/usr/bin/go"}
	if path, err := exec.LookPath("go"); err == nil {
		places = append([]string{path}, places...)
	}
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && info.Mode()&0o111 != 0 {
			return place
		}
	}
	return ""
}

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
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	if os.Geteuid() != 0 || err1 != nil || err2 != nil || uid == 0 {
		return ordinaryUser{}, false
	}
	caller := ordinaryUser{uid: uid, gid: gid}
	if found, err := user.LookupId(itoa(uid)); err == nil {
		caller.home = found.HomeDir
	}
	return caller, true
}
