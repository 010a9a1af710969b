//go:build linux

package lessontest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is wrong with the folder that -impl names is said in one sentence.
func TestImplThatIsNoProgram(t *testing.T) {
	tests := lessonTests(t, "step01-exec")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"broken/main.go":  "package main\n\nfunc main() { undefined() }\n",
		"garbage/main.go": "this is no Go\n",
		"library/a.go":    "package library\n",
		"text/readme.txt": "no program\n",
		"windows/main.go": "//go:build windows\n\npackage main\n\nfunc main() {}\n",
	} {
		os.Mkdir(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for impl, says := range map[string]string{
		"./no/such/folder":      "there is no folder ",
		dir + "/library/a.go":   dir + "/library/a.go is a file. Give the folder",
		dir + "/text":           "there is no Go program in " + dir + "/text",
		dir + "/windows":        "there is no Go program in " + dir + "/windows",
		dir + "/library":        "are of package library. A program is of package main",
		dir + "/broken":         "/broken/main.go:3:15: undefined: undefined\n    (Go knows no such name.", // the folder as go build calls it
		dir + "/garbage":        "/garbage/main.go:1:1: expected 'package', found this",
		"./internal/lessontest": "are of package lessontest",
	} {
		result := RunCommand(t, "", tests("-impl", impl)).Exits(1).Prints("")
		begins := "-impl " + impl + ": "
		if strings.Contains(says, "main.go") {
			begins = "✗ It does not compile:\n"
		}
		if !strings.HasPrefix(result.Stderr, begins) || !strings.Contains(result.Stderr, says) {
			result.fail("stderr begins with %q and says %q", begins, says)
		}
	}
}

// A program may stand anywhere, also in no module.
func TestImplAnywhere(t *testing.T) {
	NeedRoot(t)
	tests := lessonTests(t, "step02-uts")
	source := filepath.Join(NeedSource(t), "internal/lessontest/testdata/harm/main.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/main.go", text, 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Dir(dir), 0o755)
	RunCommand(t, "", tests("-impl", dir)).Exits(1).PrintsMatch("Your program made no process and became no command")
}

// Where the program cannot be tested for lack of rights, the tests fail: "ok"
// would be a lie.
func TestImplWithoutRights(t *testing.T) {
	command := lessonTests(t, "step03-pid")("-impl", "./mine")
	if os.Geteuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	result := RunCommand(t, "", command).Exits(1).Prints("").Says("nothing was tested")
	if !strings.HasSuffix(result.Stderr, "\n  go test -v -exec sudo ./step03-pid -impl ./mine\n") {
		result.fail("stderr ends with the line to type")
	}
}

// lessonTests builds the tests of a lesson, and returns what makes a command of
// them.
func lessonTests(t *testing.T, lesson string) func(args ...string) *exec.Cmd {
	t.Helper()
	root := NeedSource(t)
	watchSources()
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	program := filepath.Join(dir, "tests")
	command, err := GoTool("test", "-c", "-o", program, ".")
	if err != nil {
		t.Fatal(err)
	}
	if caller, ok := sudoCaller(); ok {
		os.Chown(dir, caller.uid, caller.gid)
	}
	command.Dir = filepath.Join(root, lesson)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, output)
	}
	return func(args ...string) *exec.Cmd {
		command := exec.Command(program, args...)
		command.Dir = filepath.Join(root, lesson)
		return command
	}
}
