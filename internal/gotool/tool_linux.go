package gotool

import (
	"errors"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"gonsrun/internal/proc"
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
			return "", errors.New("no go.mod here or above: run this in the repository")
		}
		dir = filepath.Dir(dir)
	}
}

// BuildError is what the go tool says of a program that does not build.
type BuildError struct {
	Command *exec.Cmd
	Output  string
	Err     error
}

// Error shows the line, too.
func (e *BuildError) Error() string {
	return fmt.Sprintf("cd %s && %s: %v\n%s", e.Command.Dir, strings.Join(e.Command.Args, " "), e.Err, e.Output)
}

// Build runs go build in the folder dir, as the user who called sudo. Packages are
// given as for the go tool.
func Build(dir, program string, packages ...string) error {
	folder := filepath.Dir(program)
	if caller, ok := SudoCaller(); ok {
		os.Chown(folder, caller.UID, caller.GID)
		defer os.Chown(folder, 0, 0)
	}
	// -buildvcs=false: git would refuse to look at the repository of another user.
	command, err := Command(append([]string{"build", "-buildvcs=false", "-o", program}, packages...)...)
	if err != nil {
		return err
	}
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		return &BuildError{command, string(output), err}
	}
	return nil
}

// Command returns a command that runs the go tool. Under sudo
// PATH often lacks it and HOME is root's. So it is run with the environment
// that the go command above us has, which started sudo, and as the user who
// typed it: no file of root's gets into that user's caches.
func Command(args ...string) (*exec.Cmd, error) {
	tool, environment := goAbove(os.Getppid())
	if tool == "" {
		tool = goInstalled()
		environment = os.Environ()
	}
	if tool == "" {
		return nil, errors.New("the go tool is not in PATH, nor in " + build.Default.GOROOT + "/bin: install it")
	}
	command := exec.Command(tool, args...)
	command.Env = append(environment, "PWD=") // of that command, not of this one
	if caller, ok := SudoCaller(); ok {
		command.Env = append(command.Env, "HOME="+caller.Home)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: caller.Credential()}
	}
	return command, nil
}

// goAbove looks for the go command among the processes that started us, and
// returns its program and its environment.
func goAbove(pid int) (tool string, environment []string) {
	for ; pid > 1; pid = parent(pid) {
		dir := "/proc/" + strconv.Itoa(pid)
		exe, err := os.Readlink(dir + "/exe")
		if err == nil && filepath.Base(exe) == "go" {
			environ, _ := os.ReadFile(dir + "/environ")
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

// User is a user who is not root.
type User struct {
	UID, GID int
	Home     string
}

// Credential is what a process of that user has.
func (u User) Credential() *syscall.Credential {
	return &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}
}

// SudoCaller returns the user who called sudo.
func SudoCaller() (User, bool) {
	uid, gid, ok := proc.SudoCaller()
	if !ok {
		return User{}, false
	}
	caller := User{UID: uid, GID: gid}
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		caller.Home = found.HomeDir
	}
	return caller, true
}

func parent(pid int) int {
	n, _ := strconv.Atoi(proc.StatusField(strconv.Itoa(pid), "PPid"))
	return n
}
